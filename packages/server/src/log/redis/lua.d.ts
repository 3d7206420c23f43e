declare module '*.lua' {
  /** The text of the script. */
  const text: string
  // biome-ignore lint/style/noDefaultExport: this is how the runtime imports a text
  export default text
}
