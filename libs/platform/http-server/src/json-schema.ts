import type { ApiBody } from '@nestjs/swagger';
import { z } from 'zod';

export type JsonSchema = Exclude<
  Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema'],
  { $ref: string }
>;

/** The schema as JSON Schema 2020-12, which is what OpenAPI 3.1 speaks. */
export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest as JsonSchema;
}
