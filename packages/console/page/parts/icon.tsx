const paths = {
  overview: 'M2 13h12M3.5 10.5v-4M8 10.5v-8M12.5 10.5v-6',
  channels: 'M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z',
  clients: 'M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M3 13.5c.6-2.6 2.6-4 5-4s4.4 1.4 5 4',
  agents: 'M3.5 5.5h9v7h-9zM8 5.5v-3M6 8.5v1M10 8.5v1M1.5 8v2.5M14.5 8v2.5',
  telemetry: 'M1.5 8h3l2-5 3 10 2-5h3',
  commands: 'M2.5 4.5l3.5 3.5-3.5 3.5M8 11.5h5.5',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  lock: 'M4 7.5h8v6H4zM5.5 7.5v-2a2.5 2.5 0 0 1 5 0v2',
  find: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M10.5 10.5l3 3',
  pause: 'M5.5 4v8M10.5 4v8',
  play: 'M5 3.5l7 4.5-7 4.5z',
  copy: 'M5.5 5.5h8v8h-8zM2.5 10.5v-8h8',
  link: 'M6.5 9.5l3-3M7 5l1.5-1.5a2.8 2.8 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.8 2.8 0 0 1-4-4L5 7',
  back: 'M10 3.5L5.5 8l4.5 4.5',
  warn: 'M8 2.5l6 11H2zM8 6.5v3M8 11.5h.01',
  bad: 'M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM8 5v3.5M8 11h.01',
  close: 'M4 4l8 8M12 4l-8 8',
  fold: 'M6 4l4 4-4 4',
  unfold: 'M4 6l4 4 4-4',
  key: 'M10.5 8.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M8.3 7.7L3 13M4.5 11.5L6 13',
} as const

/** The name of a drawing. */
export type IconName = keyof typeof paths

/** A drawing beside text with the same meaning. */
export function Icon({ name, class: more = '' }: { name: IconName; class?: string }) {
  return (
    <svg class={`i ${more}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

/** The sign of the console. */
export function Sign() {
  return <img src="console/icon.svg" alt="" width={20} height={20} />
}
