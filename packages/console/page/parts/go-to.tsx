import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { goTo, type View } from '../route.ts'
import { clients, refreshClients } from '../state/clients.ts'
import { refreshPlaces, rooms } from '../state/places.ts'
import { wire } from '../wire.ts'
import { Dialog } from './dialog.tsx'
import { Icon } from './icon.tsx'
import { VirtualList } from './virtual-list.tsx'

/** Whether the search is open. */
export const goingTo = signal(false)

document.addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return
  event.preventDefault()
  goingTo.value = true
})

type Goal = { readonly view: View & ('channels' | 'clients' | 'commands'); readonly of: string; readonly note: string }

const MOST = 50

/** Goes to a channel, client or command by a part of its name. */
export function GoTo() {
  const [text, setText] = useState('')
  useEffect(() => {
    void refreshPlaces()
    void refreshClients()
  }, [])
  const goals = goalsOf(text.trim().toLowerCase())
  const go = (goal: Goal | undefined) => {
    if (goal === undefined) return
    goTo(goal.view, goal.of)
    goingTo.value = false
  }
  return (
    <Dialog title="Go to" onClose={() => (goingTo.value = false)}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          go(goals[0])
        }}
      >
        <input
          type="search"
          class="whole"
          aria-label="A part of a name"
          placeholder="A part of a name, or room:channel"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </form>
      <VirtualList
        items={goals}
        keyOf={(goal) => `${goal.view} ${goal.of}`}
        row={(goal) => ({
          content: (
            <>
              <Icon name={goal.view} />
              <span class="name">{goal.of}</span>
              <span class="small push">{goal.note}</span>
            </>
          ),
        })}
        label="Places"
        maxRows={10}
        onOpen={go}
        empty="Nothing has this name."
      />
    </Dialog>
  )
}

function goalsOf(text: string): readonly Goal[] {
  const goals: Goal[] = []
  const add = (goal: Goal) => {
    if (goals.length < MOST && (text === '' || `${goal.of} ${goal.note}`.toLowerCase().includes(text))) goals.push(goal)
  }
  for (const { channels } of rooms.value)
    for (const { room, name } of channels) add({ view: 'channels', of: `${room}:${name}`, note: 'channel' })
  for (const { client_id: of, screen_name: name } of clients.value) add({ view: 'clients', of, note: name ?? 'client' })
  for (const { name: of } of wire.commands) add({ view: 'commands', of, note: 'command' })
  if (goals.length === 0 && /^[^:]+:[^:]+$/.test(text)) goals.push({ view: 'channels', of: text, note: 'open it' })
  return goals
}
