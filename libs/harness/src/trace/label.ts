import { attributeOf, type Span } from './span.js';

const decisions = /^(order (approved|rejected|settled|undone)|saga (suspended|resumed))$/;

/** What each span of a trace is called in the picture: its name, and what a reader asks of it next. */
export function labelsOf(spans: readonly Span[]): (span: Span) => string {
  const messageOf = messagesOf(spans);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return (span) =>
    [
      messageOf(span) ?? span.name,
      statusOf(span),
      ...span.events
        .filter(({ name }) => decisions.test(name))
        .map(({ name, attributes }) =>
          typeof attributes['faultline.reason'] === 'string'
            ? `→ ${name}: ${attributes['faultline.reason']}`
            : `→ ${name}`,
        ),
      rolledBack(span),
      span.error === null ? '' : `✗ ${span.error || attributeOf(span, 'error.type') || 'failed'}`,
      ...linksOf(span, ids),
    ]
      .filter((part) => part !== '')
      .join(' ');
}

/**
 * `send reserve-stock`, `process reserve-stock #2`, `send reserve-stock done` for a reply, `(sent again)` for a message
 * that was sent before. What the message is says more than its topic, which is in the span's name.
 */
function messagesOf(spans: readonly Span[]): (span: Span) => string | null {
  const attempts = attemptsOf(spans);
  // Only who takes a message knows which command it answers.
  const commands = new Map(
    spans.flatMap((span): [string | null, string][] => {
      const command = attributeOf(span, 'faultline.command');
      return command === null ? [] : [[attributeOf(span, 'messaging.message.id'), command]];
    }),
  );
  return (span) => {
    const type = attributeOf(span, 'cloudevents.event_type');
    if (type === null) return null;
    const [verb, topic = ''] = span.name.split(' ');
    const { attempt, again } = attempts(span);
    const short = type.replace(/^faultline\.[a-z]+\./, '').replace(/\.v\d+$/, '');
    const reply = /^command-(.*)$/.exec(short)?.[1];
    const command = commands.get(attributeOf(span, 'messaging.message.id')) ?? 'command';
    return [
      verb,
      reply === undefined ? short : command,
      attempt > 1 ? `#${attempt}` : '',
      reply ?? '',
      topic.endsWith('.dlt') ? '(dead letter)' : '',
      again ? '(sent again)' : '',
    ]
      .filter((part) => part !== '')
      .join(' ');
  };
}

function statusOf(span: Span): string {
  if (span.kind === 'SERVER' || span.kind === 'CLIENT')
    return attributeOf(span, 'http.response.status_code') ?? '';
  const inbox = attributeOf(span, 'faultline.inbox.outcome');
  const outcome = attributeOf(span, 'faultline.outcome');
  // The reply's own name says it.
  if (outcome === 'done') return inbox === 'applied' ? '' : (inbox ?? '');
  if (inbox === 'repeated') return '(repeated: no effect)';
  if (inbox === 'expired') return `${outcome ?? ''} (expired: no effect)`.trim();
  return outcome ?? (inbox === null || inbox === 'applied' ? '' : inbox);
}

function rolledBack(span: Span): string {
  const times = span.events.filter(({ name }) => name === 'transaction rolled back').length;
  return times === 0 ? '' : `(rolled back ${times}×)`;
}

/** `⤺` alone: linked to its parent, which is what sent it. */
function linksOf(span: Span, ids: ReadonlySet<string>): string[] {
  return span.links.map(({ traceId, spanId }) => {
    if (spanId === span.parentSpanId) return '⤺';
    return ids.has(spanId) ? `⤺ span ${spanId.slice(0, 8)}` : `⤺ trace ${traceId.slice(0, 8)}`;
  });
}

/**
 * A command that is repeated is another message of the same type: whoever takes it knows its number, else they are
 * counted. The same message sent twice is no attempt: a relay was not sure of the first time.
 */
function attemptsOf(spans: readonly Span[]): (span: Span) => { attempt: number; again: boolean } {
  const known = new Map<string, number>();
  const counted = new Map<string, number>();
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const span of spans) {
    const attempt = attributeOf(span, 'faultline.attempt');
    const id = attributeOf(span, 'messaging.message.id');
    if (id !== null && attempt !== null) known.set(id, Number(attempt));
  }
  const sends = spans.filter(({ kind }) => kind === 'PRODUCER').sort((a, b) => a.start - b.start);
  const ofType = new Map<string, number>();
  for (const span of sends) {
    const id = attributeOf(span, 'messaging.message.id') ?? span.spanId;
    const type = attributeOf(span, 'cloudevents.event_type') ?? '';
    if (seen.has(id)) {
      again.add(span.spanId);
      continue;
    }
    seen.add(id);
    if (!span.name.endsWith('.commands')) continue;
    ofType.set(type, (ofType.get(type) ?? 0) + 1);
    counted.set(id, ofType.get(type) ?? 1);
  }
  return (span) => {
    const id = attributeOf(span, 'messaging.message.id') ?? span.spanId;
    return { attempt: known.get(id) ?? counted.get(id) ?? 1, again: again.has(span.spanId) };
  };
}
