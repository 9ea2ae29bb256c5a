import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { invalidInput, type FieldError } from './problem.js';

/**
 * Parses a body, a query or a parameter. Throws 400 with every error at once; also for U+0000 and for half a surrogate
 * pair anywhere in a string: valid JSON, and Postgres can store neither.
 */
export class Zod<Schema extends z.ZodType> implements PipeTransform<unknown, z.output<Schema>> {
  constructor(readonly schema: Schema) {}

  transform(value: unknown, metadata?: ArgumentMetadata): z.output<Schema> {
    // A parameter is known by its name.
    const name = metadata?.data === undefined ? [] : [metadata.data];
    const unstorable = unstorablePaths(value, name);
    const result = this.schema.safeParse(value);
    if (result.success && unstorable.length === 0) return result.data;
    const errors: FieldError[] = unstorable.map((path) => ({
      path: path.toWellFormed().replaceAll('\u0000', '\\u0000'),
      message: 'must not contain U+0000 or half a surrogate pair',
    }));
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

function unstorablePaths(value: unknown, path: readonly string[]): string[] {
  if (typeof value === 'string') return isStorable(value) ? [] : [path.join('.')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [
    ...(isStorable(key) ? [] : [[...path, key].join('.')]),
    ...unstorablePaths(member, [...path, key]),
  ]);
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
