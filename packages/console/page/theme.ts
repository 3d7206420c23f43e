import { effect, signal } from '@preact/signals'

/** The states of the switch: that of the system, or one of the two. */
export type Theme = 'auto' | 'light' | 'dark'

const KEY = 'arqonbus-theme'
const stored = localStorage.getItem(KEY)
const prefersDark = matchMedia('(prefers-color-scheme: dark)')

/** The chosen theme. */
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto')
const system = signal(prefersDark.matches)
prefersDark.addEventListener('change', ({ matches }) => {
  system.value = matches
})

/** True if the page is dark, for drawings on a canvas. */
export const isDark = signal(false)

effect(() => {
  isDark.value = theme.value === 'dark' || (theme.value === 'auto' && system.value)
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
  localStorage.setItem(KEY, theme.value)
})
