import { applyDecorators, type INestApplication } from '@nestjs/common';
import { ApiBody, ApiResponse, DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { describeParameters } from './describe-parameters.js';
import { type JsonSchema, schemaOf } from './json-schema.js';

/** Documents the JSON body that a route takes; `new Zod(schema)` checks it. */
export function AcceptsJson(schema: z.ZodType): MethodDecorator {
  return applyDecorators(
    ApiBody({ required: true, schema: schemaOf(schema, 'input') }),
    describedProblem(400, 'The input is not valid; all errors at once'),
    describedProblem(413, 'The body is larger than 64 KiB'),
    describedProblem(415, 'The body is not JSON'),
  );
}

/** Documents an answer of a route. */
export function Answers(status: number, schema: z.ZodType, description: string): MethodDecorator {
  return ApiResponse({ status, description, schema: schemaOf(schema, 'output') });
}

function describedProblem(status: number, description: string): MethodDecorator {
  const content = { 'application/problem+json': { schema: problemSchema } };
  return ApiResponse({ status, description, content });
}

const problemSchema: JsonSchema = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
    },
  },
};

/** Serves OpenAPI 3.1, made from the code, at /openapi.json, and readable, without the internet, at /docs. */
export function serveOpenApi(
  app: INestApplication,
  about: { readonly title: string; readonly description: string },
): void {
  const config = new DocumentBuilder()
    .setTitle(about.title)
    .setDescription(about.description)
    .setVersion('1.0.0')
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'The service token' })
    .build();
  // Made at the first look: a start in a hurry has no reader.
  let document: OpenAPIObject | undefined;
  const make = (): OpenAPIObject => {
    describeParameters(app);
    return SwaggerModule.createDocument(app, config);
  };
  SwaggerModule.setup('docs', app, () => (document ??= make()), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: about.title,
  });
}
