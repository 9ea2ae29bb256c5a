import { send } from '@faultline/harness';

/** What one replica has to do, and what it has done since it was started, by its own metrics. */
export interface Work {
  /** Partitions that its groups have given it. */
  readonly consumes: number;
  /** Partitions whose lease its relay holds. */
  readonly publishes: number;
  readonly consumed: number;
  readonly published: number;
}

export async function workOf(url: string): Promise<Work> {
  const { text } = await send(`${url}/metrics`, { within: 5000, keepAlive: false });
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^faultline_${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return {
    consumes: sum('consumer_partitions'),
    publishes: sum('relay_partitions'),
    consumed: sum('consumer_batch_size_count'),
    published: sum('relay_published_total'),
  };
}
