import { request } from 'node:http';
import { z } from 'zod';

const Transition = z.object({
  name: z.string(),
  from: z.string(),
  to: z.string(),
  cause: z.string(),
  at: z.iso.datetime(),
});
export type Transition = z.infer<typeof Transition>;

/** Hears every transition of a service's breakers from now on, until `stop`. Rejects when the service does not answer. */
export async function hearTransitions(
  serviceUrl: string,
  hear: (transition: Transition) => void,
): Promise<{ stop(): void }> {
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  const asked = request(`${serviceUrl}/resilience/stream`, { agent: false }, (response) => {
    response.setEncoding('utf8');
    let text = '';
    response.on('data', (chunk: string) => {
      resolve();
      text += chunk;
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const sent = /^data: (.*)$/m.exec(event)?.[1];
        if (sent !== undefined) hear(Transition.parse(JSON.parse(sent)));
      }
    });
    response.on('error', () => undefined);
  });
  asked.on('error', reject);
  asked.end();
  await listening;
  return { stop: () => asked.destroy() };
}
