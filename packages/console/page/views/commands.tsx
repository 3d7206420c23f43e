import { useSignal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { utf8Bytes } from '../json/text.ts'
import { bytes, short, timeOfDay } from '../kit/text.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { Icon } from '../parts/icon.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { hasSecret } from '../parts/locked.tsx'
import { Prose } from '../parts/prose.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { linkTo, place } from '../route.ts'
import { type Field, fieldsOf, fill } from '../state/form.ts'
import { type Outcome, run } from '../state/run.ts'
import { history, note } from '../state/run-history.ts'
import { asking as asked } from '../state/secrets.ts'
import { type CommandForm, wire } from '../wire.ts'

/** Commands by what they are for; those of none of the lists are under the second heading. */
const asking = ['ping', 'status', 'list_channels', 'list_clients', 'channel_info', 'history']
const managing = ['create_channel', 'delete_channel']

const groups: readonly (readonly [string, readonly CommandForm[]])[] = [
  ['Ask the bus', wire.commands.filter(({ name }) => asking.includes(name))],
  ['Take part', wire.commands.filter((one) => !asking.includes(one.name) && !isManaging(one))],
  ['Manage', wire.commands.filter(isManaging)],
]

function isManaging({ name, requiresAdmin }: CommandForm): boolean {
  return requiresAdmin || managing.includes(name)
}

/** Every command of the bus, each with a form generated from the schema of its parameters, and its reply. */
export function Commands() {
  const filter = useSignal('')
  const outcome = useSignal<{ readonly name: string; readonly done: Outcome } | undefined>(undefined)
  const chosen = wire.commands.find(({ name }) => name === place.value.of)
  const wanted = filter.value.trim().toLowerCase()
  const shown = outcome.value?.name === chosen?.name ? outcome.value?.done : undefined
  const classes = `${chosen === undefined ? '' : 'has-choice'} ${shown === undefined ? '' : 'has-reply'}`
  return (
    <div class={`panes commands ${classes}`}>
      <nav class="panel" aria-label="Commands">
        <header>
          <h2>Commands</h2>
          <span class="small">{wire.commands.length}</span>
        </header>
        <div class="find">
          <SearchField label="Find a command" placeholder="Find" text={filter} />
        </div>
        <div class="scroll links">
          {groups.map(([title, commands]) => (
            <CommandGroup
              key={title}
              title={title}
              commands={commands.filter(({ name, summary }) => `${name} ${summary}`.toLowerCase().includes(wanted))}
              chosen={chosen}
            />
          ))}
        </div>
      </nav>
      <section class="panel" aria-label={chosen?.name ?? 'No command selected'}>
        {chosen === undefined ? (
          <p class="empty">Choose a command: each has a form, with the parameters that it takes.</p>
        ) : (
          <CommandPane
            key={chosen.name}
            form={chosen}
            onDone={(done) => {
              outcome.value = { name: chosen.name, done }
            }}
          />
        )}
      </section>
      <Reply outcome={shown} />
    </div>
  )
}

type GroupProps = {
  readonly title: string
  readonly commands: readonly CommandForm[]
  readonly chosen: CommandForm | undefined
}

function CommandGroup({ title, commands, chosen }: GroupProps) {
  if (commands.length === 0) return null
  return (
    <>
      <h3>{title}</h3>
      <ul>
        {commands.map(({ name, summary, requiresAdmin }) => (
          <li key={name}>
            <a
              href={linkTo('commands', name)}
              title={requiresAdmin ? 'Needs the admin key' : undefined}
              aria-current={chosen?.name === name ? 'page' : undefined}
            >
              <code>{name}</code>
              {requiresAdmin && <Icon name="lock" />}
              <small class="muted">
                <Prose text={summary} />
              </small>
            </a>
          </li>
        ))}
      </ul>
    </>
  )
}

function CommandPane({ form, onDone }: { form: CommandForm; onDone: (done: Outcome) => void }) {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({})
  const [asAdmin, setAsAdmin] = useState(form.requiresAdmin)
  const [fault, setFault] = useState<{ field: string | undefined; text: string } | undefined>(undefined)
  const [isRunning, setIsRunning] = useState(false)
  const fields = fieldsOf(form)

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    const filled = fill(form, typed)
    setFault('fault' in filled ? filled.fault : undefined)
    if ('fault' in filled) return document.getElementById(`field-${filled.fault.field}`)?.focus()
    setIsRunning(true)
    const done = await run(form.name, filled.parameters, asAdmin)
    setIsRunning(false)
    note(form.name, done)
    onDone(done)
    if (!done.ok) setFault(faultOf(done.error.details, fields))
  }

  return (
    <>
      <header>
        <a class="back" href={linkTo('commands')} aria-label="All commands">
          <Icon name="back" />
        </a>
        <h1>
          <code>{form.name}</code>
        </h1>
        {form.requiresAdmin && <span class="tag">admins</span>}
      </header>
      <div class="pad scroll">
        <p>
          <Prose text={form.summary} />
        </p>
        <p class="muted">
          <Prose text={form.who} />
        </p>
        {form.notes.map((one) => (
          <p key={one} class="muted">
            <Prose text={one} />
          </p>
        ))}
        <form class="form" onSubmit={(event) => void submit(event)} noValidate aria-label={form.name}>
          {fields.map((field) => (
            <FieldInput
              key={field.name}
              field={field}
              value={typed[field.name] ?? ''}
              fault={fault?.field === field.name ? fault.text : undefined}
              onInput={(value) => setTyped({ ...typed, [field.name]: value })}
            />
          ))}
          {form.requiresAdmin && !hasSecret() && (
            <p class="note warn">
              <Icon name="lock" />
              <span>This command needs the admin key of the bus.</span>
              <button
                type="button"
                onClick={() => (asked.value = 'Commands for admins need the admin key of the bus.')}
              >
                Enter the key
              </button>
            </p>
          )}
          <div class="actions">
            <button type="submit" class="primary" disabled={isRunning}>
              Run {form.name}
            </button>
            <label class="check">
              <input type="checkbox" checked={asAdmin} onChange={(event) => setAsAdmin(event.currentTarget.checked)} />
              <span>with the admin key</span>
            </label>
            {form.isHttp && <CopyButton text="Copy as curl" value={() => curlOf(form, typed)} />}
          </div>
          {fault !== undefined && fault.field === undefined && (
            <p class="fault" role="alert">{`Expected ${fault.text}`}</p>
          )}
        </form>
      </div>
    </>
  )
}

/** The command as a request of the HTTP API; without any secret. */
function curlOf(form: CommandForm, typed: Readonly<Record<string, string>>): string {
  const filled = fill(form, typed)
  const body = JSON.stringify('parameters' in filled ? filled.parameters : {})
  const url = new URL(`api/v1/commands/${form.name}`, location.href).href
  const key = form.requiresAdmin ? " -H 'authorization: Bearer …'" : ''
  return `curl -X POST '${url}' -H 'content-type: application/json'${key} -d '${body.replaceAll("'", "'\\''")}'`
}

/** What came back, and what was asked before. */
function Reply({ outcome }: { outcome: Outcome | undefined }) {
  const before = outcome === undefined ? history.value : history.value.slice(1)
  return (
    <section class="panel" aria-label="Result">
      <header>
        <h2>Reply</h2>
        {outcome !== undefined && (
          <span class="small">
            <span class={`tag ${outcome.ok ? 'good' : 'bad'}`} role="status">
              {outcome.ok ? 'Success' : 'Refused'}
            </span>{' '}
            {short(outcome.tookMs)} ms{outcome.ok && `, ${bytes(utf8Bytes(JSON.stringify(outcome.result)))}`}
          </span>
        )}
      </header>
      <div class="pad scroll">
        {outcome === undefined ? (
          <p class="muted">The reply is shown here.</p>
        ) : outcome.ok ? (
          <>
            <JsonView value={outcome.result} name="result" most={20} />
            <div class="actions">
              <CopyButton text="Copy" value={() => JSON.stringify(outcome.result, null, 2)} />
            </div>
          </>
        ) : (
          <RefusalText refusal={outcome.error} />
        )}
        {before.length > 0 && (
          <>
            <h3 class="before">Before this</h3>
            <table class="bleed">
              <tbody>
                {before.map(({ id, name, code, at }) => (
                  <tr key={id}>
                    <td>
                      <a href={linkTo('commands', name)}>
                        <code>{name}</code>
                      </a>
                    </td>
                    <td class={code === 'success' ? 'good' : 'bad'}>{code}</td>
                    <td class="n muted">{timeOfDay(at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        )}
      </div>
    </section>
  )
}

/** The field that a refusal of the bus points at. */
function faultOf(details: Readonly<Record<string, unknown>> | undefined, fields: readonly Field[]) {
  const [, of, name] = String(details?.path ?? '').split('/')
  if (of !== 'parameters' || !fields.some((field) => field.name === name)) return undefined
  return { field: name, text: String(details?.expected ?? '') }
}

type InputProps = {
  readonly field: Field
  readonly value: string
  readonly fault: string | undefined
  readonly onInput: (value: string) => void
}

function FieldInput({ field, value, fault, onInput }: InputProps) {
  const { name, kind, description, required, placeholder } = field
  const [hint, problem] = [`${name}-hint`, `${name}-fault`]
  const common = {
    id: `field-${name}`,
    'aria-invalid': fault !== undefined,
    'aria-describedby': fault === undefined ? hint : `${problem} ${hint}`,
    'aria-required': required,
    value,
  }
  const input =
    kind === 'choice' || kind === 'yes-no' ? (
      <select {...common} onChange={(event) => onInput(event.currentTarget.value)}>
        <option value="">{placeholder === '' ? '–' : `– (${placeholder})`}</option>
        {(kind === 'yes-no' ? ['true', 'false'] : field.choices).map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    ) : kind === 'json' ? (
      <textarea
        {...common}
        rows={3}
        spellcheck={false}
        placeholder={placeholder}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    ) : (
      <input
        {...common}
        inputMode={kind === 'number' ? 'numeric' : undefined}
        spellcheck={false}
        autocomplete="off"
        placeholder={placeholder}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    )
  return (
    <div class="field">
      <label for={`field-${name}`}>
        {name}
        {required && <span class="muted"> required</span>}
      </label>
      {input}
      {fault !== undefined && (
        <small id={problem} class="fault">
          Expected {fault}
        </small>
      )}
      <small id={hint} class="muted">
        <Prose text={description} />
      </small>
    </div>
  )
}
