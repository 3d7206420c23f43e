/** `docs/reference/errors.md`: every error code and every close code of the protocol. */

import { closeCodes, errorCodes, type Reconnect } from '@arqonbus/protocol'
import { generatedFrom, type Page, page, table } from './page.ts'

const reconnect: Record<Reconnect, string> = {
  no: 'no',
  yes: 'yes, with backoff',
  later: 'yes, after a delay or after the hint of the shutdown notice',
  with_new_token: 'with a new token',
}

/** The reference of error codes and close codes. */
export const errorsPage: Page = {
  path: 'docs/reference/errors.md',
  render: () =>
    page(
      generatedFrom('`packages/protocol/src/codes.ts`'),
      '# Error codes and close codes',
      'A refusal is a `command_response` whose `payload.error` has a `code`, a `status`, a `message` for people, and often `details` that point at the invalid value. Match on the code: codes are stable, messages are not. [The protocol](../protocol.md#replies-and-errors) says when each is sent.',
      '## Error codes',
      '`status` groups the codes as in HTTP. A code marked as a violation means that the frame itself violated the protocol: the fifth violation within a minute (`ARQONBUS_MAX_VIOLATIONS`, `ARQONBUS_VIOLATION_WINDOW`) closes the connection with 1008. Other codes never do.',
      table(
        ['code', 'status', 'violation', 'meaning'],
        Object.entries(errorCodes).map(([code, entry]) => [
          `<a id="${code}"></a>\`${code}\``,
          String(entry.status),
          entry.violation === true ? 'yes' : '',
          entry.text,
        ]),
      ),
      '## Close codes',
      'The reason in the close frame is that of the table, unless a more specific one is known. After a code that is not listed: back off and reconnect.',
      table(
        ['code', 'reason', 'reconnect automatically'],
        Object.values(closeCodes).map((entry) => [String(entry.code), entry.reason, reconnect[entry.reconnect]]),
      ),
    ),
}
