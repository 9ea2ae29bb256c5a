import { figuresOf, ratioOf, type Figures } from './figures.js';
import type { Loop } from './loops.js';
import type { Round, Session, Subject } from './session.js';

/** One load, on both. */
export interface Compared {
  readonly bare: Figures;
  readonly faultline: Figures;
  /** Orders per second, Faultline by bare: the median over the rounds. */
  readonly ratio: number;
}

export type Say = (line: string) => void;

const subjects: readonly Subject[] = ['bare', 'faultline'];

/** Every load on both, in turn: closed loops, then open ones. */
export async function measureSpeed(session: Session, say: Say): Promise<Compared[]> {
  const { clients, rates, seconds, rounds } = session.options;
  const compared: Compared[] = [];
  for (const size of clients)
    compared.push(await compare(session, { kind: 'closed', size, seconds }, rounds, say));
  for (const size of rates)
    compared.push(await compare(session, { kind: 'open', size, seconds }, rounds, say));
  return compared;
}

export async function compare(
  session: Session,
  loop: Omit<Loop, 'seed'>,
  rounds: number,
  say: Say,
): Promise<Compared> {
  const measured: Readonly<Record<Subject, Round[]>> = { bare: [], faultline: [] };
  for (const subject of subjects) await session.warmUp(subject, { ...loop, seconds: 2 });
  for (let nth = 1; nth <= rounds; nth += 1) {
    for (const subject of subjects) {
      const round = await session.measure(subject, { ...loop, seed: session.options.seed + nth });
      measured[subject].push(round);
      say(`${nameOf(loop)}, round ${nth}, ${subject.padEnd(9)} ${shortly(figuresOf([round]))}`);
    }
  }
  return {
    bare: figuresOf(measured.bare),
    faultline: figuresOf(measured.faultline),
    ratio: ratioOf(measured.bare, measured.faultline),
  };
}

export const nameOf = ({ kind, size }: { readonly kind: string; readonly size: number }): string =>
  kind === 'closed' ? `${size} ${size === 1 ? 'client' : 'clients'}` : `${size}/s open`;

const shortly = (figures: Figures): string =>
  [
    `${figures.perSecond.toFixed(1)}/s`,
    `p50 ${figures.p50.toFixed(1)} p99 ${figures.p99.toFixed(1)} ms`,
    `${figures.cpu.toFixed(2)} CPU s per 1,000`,
    `${figures.statements.toFixed(2)} SQL`,
    ...(figures.foreignShare > 0.05 ? [`others used ${figures.foreignShare.toFixed(2)} processors`] : []),
    ...figures.findings.map((finding) => `AUDIT: ${finding}`),
  ].join(', ');
