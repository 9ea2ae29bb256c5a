import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SERVICES } from '@faultline/harness';
import { figuresOf, type Figures } from './figures.js';
import type { Round, Session } from './session.js';
import type { Say } from './speed.js';

export interface Traced {
  readonly setting: string;
  readonly figures: Figures;
}

const load = { kind: 'closed', size: 16 } as const;
const settings = {
  off: { OTEL_TRACES_SAMPLER: 'always_off' },
  '10 %': { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
  '100 %': { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '1' },
} as const;

/** The same load with no, some and all orders traced and exported by OTLP. The services start anew for each. */
export async function measureTracing(session: Session, say: Say): Promise<Traced[]> {
  const sink = fork(fileURLToPath(new URL('otlp-sink.js', import.meta.url)));
  const [port] = (await once(sink, 'message')) as [number];
  const rounds = new Map<string, Round[]>();
  try {
    session.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = `http://127.0.0.1:${port}`;
    for (let nth = 1; nth <= session.options.rounds; nth += 1) {
      for (const [setting, env] of Object.entries(settings)) {
        Object.assign(session.env, env);
        for (const service of SERVICES) await session.system.process(service).restart();
        await session.system.whenReady();
        await session.warmUp('faultline', { ...load, seconds: 5 });
        const { seconds, seed } = session.options;
        const round = await session.measure('faultline', { ...load, seconds, seed: seed + nth });
        rounds.set(setting, [...(rounds.get(setting) ?? []), round]);
        const { perSecond, cpu, findings } = figuresOf([round]);
        say(
          `tracing ${setting}, round ${nth}: ${perSecond.toFixed(1)}/s, ${cpu.toFixed(2)} CPU s per 1,000` +
            findings.map((finding) => `, AUDIT: ${finding}`).join(''),
        );
      }
    }
  } finally {
    sink.disconnect();
  }
  return [...rounds].map(([setting, measured]) => ({ setting, figures: figuresOf(measured) }));
}
