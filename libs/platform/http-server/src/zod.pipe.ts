import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { invalidInput, type FieldError } from './problem.js';

/**
 * Parses a body, a query or a parameter. Throws 400 with every error at once; also for U+0000 anywhere in a string,
 * which is valid JSON and which Postgres can store in no text.
 */
export class Zod<Schema extends z.ZodType> implements PipeTransform<unknown, z.output<Schema>> {
  constructor(readonly schema: Schema) {}

  transform(value: unknown, metadata?: ArgumentMetadata): z.output<Schema> {
    // A parameter is known by its name.
    const name = metadata?.data === undefined ? [] : [metadata.data];
    const zeros = pathsWithZero(value, name);
    const result = this.schema.safeParse(value);
    if (result.success && zeros.length === 0) return result.data;
    const errors: FieldError[] = zeros.map((path) => ({ path, message: 'must not contain U+0000' }));
    for (const issue of result.error?.issues ?? []) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys)
          errors.push({
            path: [...name, ...issue.path, key].join('.').replaceAll('\u0000', '\\u0000'),
            message: 'unknown member',
          });
      } else {
        errors.push({
          path: [...name, ...issue.path].join('.'),
          message: value === undefined ? 'is missing' : issue.message,
        });
      }
    }
    throw invalidInput(errors);
  }
}

function pathsWithZero(value: unknown, path: readonly string[]): string[] {
  if (typeof value === 'string') return value.includes('\u0000') ? [path.join('.')] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [
    ...(key.includes('\u0000') ? [[...path, key].join('.').replaceAll('\u0000', '\\u0000')] : []),
    ...pathsWithZero(member, [...path, key]),
  ]);
}
