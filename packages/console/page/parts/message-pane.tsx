import { useState } from 'preact/hooks'
import { readingOf, textOf } from '../json/reading.ts'
import { jsonText, utf8Bytes } from '../json/text.ts'
import { bytes, fullTime, timeOfDay } from '../kit/text.ts'
import { linkTo } from '../route.ts'
import type { Feed } from '../state/feeds.ts'
import type { Line } from '../state/lines.ts'
import { CopyButton } from './copy-button.tsx'
import { Fact } from './fact.tsx'
import { JsonView } from './json-view.tsx'

const ways = ['Read', 'JSON', 'Envelope'] as const
type Way = (typeof ways)[number]

type MessagePaneProps = {
  readonly feed: Feed
  readonly line: Line | undefined
  readonly onChoose: (line: Line) => void
}

/** The chosen message: as text, as JSON, or with its envelope, each of them to copy. */
export function MessagePane({ feed, line, onChoose }: MessagePaneProps) {
  const [way, setWay] = useState<Way>('JSON')
  const message = line?.message
  if (line === undefined || message === undefined)
    return (
      <section class="panel detail-pane" aria-label="Message">
        <header>
          <h2>Message</h2>
        </header>
        <p class="pad muted">Choose a message to see all of it.</p>
      </section>
    )
  const { payload, ...head } = message
  const asText = () =>
    way === 'Envelope' ? write(message) : ((way === 'Read' ? textOf(payload) : undefined) ?? write(payload))
  return (
    <section class="panel detail-pane" aria-label="Message">
      <header>
        <h2>Message</h2>
        <fieldset class="seg" aria-label="Show it as">
          {ways.map((one) => (
            <button key={one} type="button" aria-pressed={way === one} onClick={() => setWay(one)}>
              {one}
            </button>
          ))}
        </fieldset>
      </header>
      <div class="pad">
        {way === 'Read' && <ReadView payload={payload} />}
        {way === 'JSON' && <JsonView value={payload} name="payload" most={16} />}
        {way === 'Envelope' && <JsonView value={head} name="envelope" most={16} />}
        <div class="actions">
          <CopyButton text="Copy" value={asText} />
          <CopyButton
            text="Copy link"
            icon="link"
            value={() => `${location.href.split('#')[0]}${linkTo('channels', feed.address, message.id)}`}
          />
        </div>
        <Facts feed={feed} line={line} onChoose={onChoose} />
      </div>
    </section>
  )
}

const MOST_READ = 20_000

function ReadView({ payload }: { payload: Readonly<Record<string, unknown>> }) {
  const text = textOf(payload)
  const { fields, more } = readingOf(payload)
  return (
    <div class="read">
      {text === undefined ? (
        <p class="muted">This payload has no text: see its JSON.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element must be reachable by keyboard.
        <p class="says" tabIndex={0}>
          {text.slice(0, MOST_READ)}
          {text.length > MOST_READ && ' … Copy it to read all of it.'}
        </p>
      )}
      {fields.length > 0 && (
        <dl class="facts">
          {fields.map(({ name, value }) => (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ))}
        </dl>
      )}
      {more > 0 && <p class="small">And {more} more fields: see its JSON.</p>}
    </div>
  )
}

function Facts({ feed, line, onChoose }: { feed: Feed; line: Line; onChoose: (line: Line) => void }) {
  const message = line.message
  if (message === undefined) return null
  const { metadata = {}, id, from, timestamp } = message
  feed.pulse.value
  const lines = feed.lines()
  const cause = lines.find((one) => one.message !== undefined && one.message.id === metadata.cause)
  const answers = lines.filter((one) => one.message?.metadata?.cause === id).slice(0, 5)
  const jump = (one: Line) => (
    <button key={one.id} type="button" class="as-link" onClick={() => onChoose(one)}>
      {one.from}, {timeOfDay(one.at)}
    </button>
  )
  return (
    <dl class="facts">
      <Fact name="From">
        <a href={linkTo('clients', from)}>{from}</a>
      </Fact>
      <Fact name="Sent">{fullTime(timestamp)}</Fact>
      <Fact name="Position">{metadata.position !== undefined && <code>{metadata.position}</code>}</Fact>
      <Fact name="Answers">
        {cause === undefined ? typeof metadata.cause === 'string' && <code>{metadata.cause}</code> : jump(cause)}
      </Fact>
      <Fact name="Answered by">{answers.length > 0 && answers.map(jump)}</Fact>
      <Fact name="Size">{sizeOf(message)}</Fact>
      <Fact name="Id">
        <code>{id}</code>
      </Fact>
    </dl>
  )
}

/** The JSON text of a value, indented. */
const write = (value: unknown): string => jsonText(value, 2) ?? String(value)

function sizeOf(value: unknown): string {
  const text = jsonText(value)
  return text === undefined ? 'unknown' : bytes(utf8Bytes(text))
}
