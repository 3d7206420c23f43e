import { CodedError, commands } from '@arqonbus/protocol'
import type { Profile } from '../state/model.ts'
import { clientView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `update_profile`: changes what the requester says about itself. */
export const updateProfile = ({ clock, persistence, presence }: CommandDeps) =>
  command(commands.update_profile, ({ parameters, requester, identity }) => {
    const profile: Profile = { ...requester.profile }
    const { profile: ofToken } = requester.identity.credential ?? {}
    const set = (field: 'screenName' | 'avatar' | 'personality', value: string | null | undefined) => {
      if (value !== undefined && ofToken?.[field] !== undefined) throw fixed(field)
      if (value === null) delete profile[field]
      else if (value !== undefined) profile[field] = value
    }
    set('screenName', parameters.screen_name)
    set('avatar', parameters.avatar)
    set('personality', parameters.personality)
    requester.profile = profile
    persistence?.sessionChanged(requester.id)
    presence.profileChanged(requester)
    return { client: clientView(requester, identity, clock) }
  })

const parameters = { screenName: 'screen_name', avatar: 'avatar', personality: 'personality' } as const

/** What a token says about its client is not the client's to change. */
const fixed = (field: keyof typeof parameters): CodedError =>
  new CodedError('forbidden', { path: `/parameters/${parameters[field]}`, expected: 'to be absent: the token says it' })
