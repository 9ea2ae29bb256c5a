// npm run asyncapi: writes docs/asyncapi.json from the schemas.
import { writeFileSync } from 'node:fs';
import { asyncApi } from '@faultline/contracts';

writeFileSync(
  new URL('../../docs/asyncapi.json', import.meta.url),
  `${JSON.stringify(asyncApi(), null, 2)}\n`,
);
