import { Icon } from '../parts/icon.tsx'
import { ThemeSwitch } from '../parts/shell.tsx'
import { linkTo } from '../route.ts'
import { version, welcome } from '../state/bus.ts'
import { wire } from '../wire.ts'

/** On a narrow page: the views that have no place in the bar. */
export function More() {
  return (
    <section class="panel more-view">
      <h1 class="hidden">More</h1>
      <ul class="look">
        <li>
          <a class="line" href={linkTo('telemetry')}>
            <Icon name="telemetry" />
            <b>Telemetry</b> <span class="small">events as they happen</span>
          </a>
        </li>
        <li>
          <a class="line" href={linkTo('commands')}>
            <Icon name="commands" />
            <b>Commands</b> <span class="small">run any of {wire.commands.length} commands</span>
          </a>
        </li>
        <li>
          <span>Colours</span>
          <ThemeSwitch />
        </li>
        <li class="small">
          Version {version.value}, node {welcome.value?.node}
        </li>
      </ul>
    </section>
  )
}
