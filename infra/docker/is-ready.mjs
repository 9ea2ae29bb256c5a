// The health check of a service's container: its own word, /health/ready. Ends with 0 or 1 and says what is missing.
import { get } from 'node:http';

const request = get(
  { host: '127.0.0.1', port: process.env.PORT, path: '/health/ready', agent: false, timeout: 2500 },
  (response) => {
    process.exitCode = response.statusCode === 200 ? 0 : 1;
    response.pipe(process.stdout);
  },
);
request.on('timeout', () => request.destroy(new Error('no answer within 2.5 s')));
request.on('error', (error) => {
  process.exitCode = 1;
  console.log(error.message);
});
