/** Reads `/metrics` as Prometheus would. */

/** The value of a sample, such as `arqonbus_limits_hit_total{limit="rooms"}`. Throws if there is none. */
export async function readMetric(httpUrl: string, sample: string): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `))
  if (line === undefined) throw new Error(`/metrics has no sample ${sample}`)
  return Number(line.slice(sample.length + 1))
}
