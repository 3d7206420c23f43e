/**
 * Who uses how much of a budget: a tree whose root is the budget. Below it are sources, below those accounts, and below
 * an account the logs in which its messages are. Each node knows its child that uses most, without a look at all.
 *
 * The children of a node are a heap by an upper bound of their amount. A bound is raised in steps, and brought down when
 * it comes to the top: an amount that goes up and down between two bounds costs an addition and a comparison.
 */

/** A bound is so much above the amount for which it was raised. */
const STEP = 1.25

/** What uses something. Where it has `uses`, that counts the nodes of it that do. */
export type User = object

/** A node: so much is used of a budget, by `owner`, as a part of what `parent` uses. */
export class Usage<Owner extends User = User> {
  readonly owner: Owner
  readonly parent: Usage | undefined
  amount = 0
  /** For a list of nodes of whoever keeps one: whether this node is in it. */
  isListed = false
  /** No less than the amount; the order of the heap that this node is in. */
  bound = 0
  /** Its index in the heap of its parent; below 0 while it is not there, because its amount is 0. */
  #place = -1
  #children: Usage[] | undefined

  constructor(owner: Owner, parent: Usage | undefined) {
    this.owner = owner
    this.parent = parent
  }

  /** How many nodes below this one use something. */
  get users(): number {
    return this.#children?.length ?? 0
  }

  /** So much more is used. */
  add(amount: number): void {
    let node: Usage = this
    for (;;) {
      node.amount += amount
      const { parent } = node
      if (parent === undefined) return
      if (node.amount > node.bound) parent.#raise(node)
      node = parent
    }
  }

  /** So much less is used. */
  remove(amount: number): void {
    let node: Usage = this
    for (;;) {
      node.amount -= amount
      const { parent } = node
      if (parent === undefined) return
      if (node.amount === 0 && node.#place >= 0) parent.#takeOut(node)
      node = parent
    }
  }

  /** The child that uses most; undefined where none uses anything. */
  get heaviest(): Usage | undefined {
    const children = this.#children
    if (children === undefined) return undefined
    for (;;) {
      const top = children[0]
      if (top === undefined) return undefined
      if (top.amount >= Math.max(boundOf(children[1]), boundOf(children[2]))) return top
      top.bound = top.amount
      this.#sink(top, 0)
    }
  }

  /** Of the `most` children that use most, in that order, the first for which `test` returns something. */
  first<Found>(most: number, test: (child: Usage) => Found | undefined): Found | undefined {
    const failed: Usage[] = []
    let found: Found | undefined
    for (let child = this.heaviest; child !== undefined && failed.length < most; child = this.heaviest) {
      found = test(child)
      if (found !== undefined) break
      failed.push(child)
      this.#takeOut(child)
    }
    // What `test` did may have changed their amounts.
    for (const child of failed) if (child.amount > 0 && child.#place < 0) this.#raise(child)
    return found
  }

  #raise(child: Usage): void {
    this.#children ??= []
    child.bound = child.amount * STEP
    if (child.#place < 0) {
      child.#place = this.#children.length
      this.#children.push(child)
      countUses(child, 1)
    }
    this.#rise(child, child.#place)
  }

  #takeOut(child: Usage): void {
    const children = this.#children!
    const at = child.#place
    child.#place = -1
    child.bound = 0
    countUses(child, -1)
    const last = children.pop()!
    // A list keeps the memory of the most that it ever held.
    if (children.length === 0) this.#children = undefined
    if (last === child) return
    this.#rise(last, at)
    this.#sink(last, last.#place)
  }

  #rise(child: Usage, from: number): void {
    const children = this.#children!
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      const other = children[above]!
      if (other.bound >= child.bound) break
      children[at] = other
      other.#place = at
      at = above
    }
    children[at] = child
    child.#place = at
  }

  #sink(child: Usage, from: number): void {
    const children = this.#children!
    let at = from
    for (let below = 2 * at + 1; below < children.length; below = 2 * at + 1) {
      if (below + 1 < children.length && children[below + 1]!.bound > children[below]!.bound) below++
      const other = children[below]!
      if (other.bound <= child.bound) break
      children[at] = other
      other.#place = at
      at = below
    }
    children[at] = child
    child.#place = at
  }
}

const boundOf = (child: Usage | undefined): number => (child === undefined ? 0 : child.bound)

function countUses({ owner }: Usage, by: 1 | -1): void {
  const counted: { uses?: number } = owner
  if (counted.uses !== undefined) counted.uses += by
}
