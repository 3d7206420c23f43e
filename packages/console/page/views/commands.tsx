import { useState } from 'preact/hooks'
import { short } from '../kit/text.ts'
import { JsonView } from '../parts/json-view.tsx'
import { Prose } from '../parts/prose.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { linkTo, place } from '../route.ts'
import { type Field, fieldsOf, fill } from '../state/form.ts'
import { type Outcome, run } from '../state/run.ts'
import { asking, secrets } from '../state/secrets.ts'
import { type CommandForm, wire } from '../wire.ts'

/** Every command of the bus, each with a form generated from the schema of its parameters. */
export function Commands() {
  const chosen = wire.commands.find(({ name }) => name === place.value.of)
  return (
    <div class={`view split ${chosen === undefined ? '' : 'has-choice'}`}>
      <nav class="panel side" aria-label="Commands">
        <div class="bar">
          <h1>Commands</h1>
        </div>
        <ul class="links">
          {wire.commands.map(({ name, summary, requiresAdmin }) => (
            <li key={name}>
              <a href={linkTo('commands', name)} aria-current={chosen?.name === name ? 'page' : undefined}>
                <code>{name}</code>
                {requiresAdmin && <span class="tag">admin</span>}
                <small class="muted">
                  <Prose text={summary} />
                </small>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <section class="panel main-pane" aria-label={chosen?.name ?? 'No command selected'}>
        {chosen === undefined ? (
          <p class="empty">Choose a command.</p>
        ) : (
          <div class="scroll">
            <a class="back" href={linkTo('commands')}>
              ← All commands
            </a>
            <CommandPane key={chosen.name} form={chosen} />
          </div>
        )}
      </section>
    </div>
  )
}

function CommandPane({ form }: { form: CommandForm }) {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({})
  const [asAdmin, setAsAdmin] = useState(form.requiresAdmin)
  const [fault, setFault] = useState<{ field: string | undefined; text: string } | undefined>(undefined)
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined)
  const [isRunning, setIsRunning] = useState(false)
  const fields = fieldsOf(form)

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    const filled = fill(form, typed)
    setFault('fault' in filled ? filled.fault : undefined)
    if ('fault' in filled) {
      document.getElementById(`field-${filled.fault.field}`)?.focus()
      return setOutcome(undefined)
    }
    setIsRunning(true)
    const done = await run(form.name, filled.parameters, asAdmin)
    setIsRunning(false)
    setOutcome(done)
    if (!done.ok) setFault(faultOf(done.error.details, fields))
  }

  return (
    <>
      <h2>
        <code>{form.name}</code>
      </h2>
      <p>
        <Prose text={form.summary} />
      </p>
      {form.notes.map((note) => (
        <p key={note} class="muted">
          <Prose text={note} />
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
        <div class="actions">
          <button type="submit" class="primary" disabled={isRunning}>
            Run {form.name}
          </button>
          <label class="check">
            <input type="checkbox" checked={asAdmin} onChange={(event) => setAsAdmin(event.currentTarget.checked)} />
            <span>with the admin key</span>
          </label>
          {asAdmin && secrets.value.adminKey === '' && (
            <button type="button" onClick={() => (asking.value = 'Commands for admins need the admin key of the bus.')}>
              Enter the key
            </button>
          )}
        </div>
        {fault !== undefined && fault.field === undefined && (
          <p class="fault" role="alert">{`Expected ${fault.text}`}</p>
        )}
      </form>
      {outcome !== undefined && (
        <section aria-label="Result" class="result">
          <h3 role="status">
            {outcome.ok ? 'Success' : 'Refused'} <small class="muted">{short(outcome.tookMs)} ms</small>
          </h3>
          {outcome.ok ? (
            <JsonView value={outcome.result} name="result" most={20} />
          ) : (
            <RefusalText refusal={outcome.error} />
          )}
        </section>
      )}
    </>
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
