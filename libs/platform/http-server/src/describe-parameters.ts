import type { INestApplication } from '@nestjs/common';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { ModulesContainer } from '@nestjs/core';
import { ApiParam, ApiQuery } from '@nestjs/swagger';
import { z } from 'zod';
import { schemaOf } from './json-schema.js';
import { Zod } from './zod.pipe.js';

interface Argument {
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

const described = new WeakSet<object>();

/**
 * Documents the parameters and the query of every route by the schemas they are parsed with: what is written once,
 * in `new Zod(schema)`, is then what the document says.
 */
export function describeParameters(app: INestApplication): void {
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function' || described.has(metatype)) continue;
      described.add(metatype);
      describeController(metatype);
    }
  }
}

function describeController(controller: { readonly prototype?: unknown }): void {
  const prototype = controller.prototype as object;
  for (const method of Object.getOwnPropertyNames(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
    const found: unknown = Reflect.getMetadata('__routeArguments__', controller, method);
    if (!descriptor || typeof found !== 'object' || found === null) continue;
    for (const [place, { data, pipes }] of Object.entries(found as Record<string, Argument>)) {
      const parsed = pipes?.find((pipe): pipe is Zod<z.ZodType> => pipe instanceof Zod);
      if (!parsed) continue;
      const kind = Number(place.split(':')[0]);
      if (kind === Number(RouteParamtypes.PARAM) && typeof data === 'string') {
        ApiParam({ name: data, schema: schemaOf(parsed.schema, 'input') })(prototype, method, descriptor);
      }
      if (
        kind === Number(RouteParamtypes.QUERY) &&
        data === undefined &&
        parsed.schema instanceof z.ZodObject
      ) {
        describeQuery(parsed.schema, prototype, method, descriptor);
      }
    }
  }
}

function describeQuery(
  schema: z.ZodObject,
  prototype: object,
  method: string,
  descriptor: PropertyDescriptor,
): void {
  for (const [name, member] of Object.entries(schema.shape)) {
    // What is coerced is text on the way in, and says nothing of itself there.
    const told = schemaOf(member as z.ZodType, 'output');
    const required = !(member as z.ZodType).safeParse(undefined).success;
    ApiQuery({ name, required, schema: told })(prototype, method, descriptor);
  }
}
