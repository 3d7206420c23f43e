/** A bar for a share from 0 to 1. The share is also written beside it. */
export function Meter({ share, level }: { share: number; level?: 'warn' | 'bad' | '' | undefined }) {
  const shown = Math.max(0, Math.min(1, share))
  const kind = level ?? (share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : '')
  return (
    <span class={`meter ${kind}`} aria-hidden="true">
      <i style={{ width: `${shown * 100}%` }} />
    </span>
  )
}
