import type { z } from 'zod';
import type { Topic } from '../topics.js';

/** The kind of message that one side writes and the other reads: its CloudEvents type, its topic, its body. */
export interface MessageKind<Type extends string = string, Body = unknown> {
  readonly type: Type;
  readonly topic: Topic;
  readonly body: z.ZodType<Body>;
  readonly summary: string;
}

export function messageKind<const Type extends string, Body>(
  type: Type,
  topic: Topic,
  body: z.ZodType<Body>,
  summary: string,
): MessageKind<Type, Body> {
  return { type, topic, body, summary };
}

export type BodyOf<Kind> = Kind extends MessageKind<string, infer Body> ? Body : never;
