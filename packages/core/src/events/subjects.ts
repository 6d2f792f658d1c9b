/** What an event is about. The part before the slash is the kind, the part after it the identity. */
export const subjects = {
  workload: (uid: string) => `workload/${uid}`,
  pod: (uid: string) => `pod/${uid}`,
  namespace: (name: string) => `namespace/${name}`,
  interface: (containerId: string) => `interface/${containerId}`,
  link: (ifindex: number) => `link/${ifindex}`,
  watch: (name: string) => `watch/${name}`,
  proxies: "proxies",
  node: "node",
  agent: "agent",
  switch: "switch",
  log: "log",
} as const;

/** The identity in a subject of this kind; undefined for any other subject. */
export function idOf(kind: "workload" | "pod" | "namespace", subject: string): string | undefined {
  return subject.startsWith(`${kind}/`) ? subject.slice(kind.length + 1) : undefined;
}

/** The pod UID of a `workload/<uid>` subject; undefined for any other subject. */
export function workloadUid(subject: string): string | undefined {
  return idOf("workload", subject);
}
