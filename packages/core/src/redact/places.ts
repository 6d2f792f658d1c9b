/** What is redacted in an event, by kind. */
export interface Redactions {
  namespace(name: string): string;
  pod(name: string): string;
  node(name: string): string;
  /** Path of a network namespace. */
  netns(path: string): string;
  mac(mac: string): string;
  address(address: string): string;
  network(cidr: string): string;
  /** What people, or the kernel, wrote. */
  text(text: string): string;
  labels(labels: Readonly<Record<string, string>>): Record<string, string>;
  annotations(annotations: Readonly<Record<string, string>>): Record<string, string>;
}

type Rule = (value: unknown) => unknown;

/** An object in which these members are redacted, where they are; the others stay. */
function members(rules: Readonly<Record<string, Rule>>): Rule {
  return (value) => {
    const copy = { ...(value as Record<string, unknown>) };
    for (const [key, rule] of Object.entries(rules)) if (copy[key] !== undefined) copy[key] = rule(copy[key]);
    return copy;
  };
}

const each =
  (rule: Rule): Rule =>
  (list) =>
    (list as unknown[]).map(rule);

/** Where in the data of each event type there is something to redact. Types that are not named here hold nothing of the kind. */
export function redactionRules(redact: Redactions): Readonly<Record<string, Rule>> {
  const on = (kind: Exclude<keyof Redactions, "labels" | "annotations">): Rule => {
    return (value) => redact[kind](value as string);
  };
  const [namespace, name, addresses, text] = [on("namespace"), on("pod"), each(on("address")), on("text")];
  const labels: Rule = (value) => redact.labels(value as Record<string, string>);
  const annotations: Rule = (value) => redact.annotations(value as Record<string, string>);

  const agent = members({
    node: on("node"),
    config: members({
      proxy: members({ namespace }),
      membership: members({ excludeNamespaces: each(namespace) }),
    }),
    stopped: members({ reason: text }),
  });
  const pod = members({ namespace, name, nodeName: on("node"), labels, annotations, addresses });
  const found = members({ namespace, name, netns: on("netns"), mac: on("mac"), addresses });
  const podInterface = members({ netns: on("netns"), mac: on("mac") });
  const networks = each(on("network"));
  const workload = members({
    namespace,
    name,
    addresses,
    interface: podInterface,
    exclusions: members({ outboundCidrs: networks, inboundCidrs: networks }),
    // Of a node proxy: uid, inode of its network namespace, addresses.
    key: (key) => (key as string).replace(/[^/]*$/, (list) => list.split(",").map(redact.address).join(",")),
  });
  const proxiesFound = members({ proxies: each(workload) });
  const intent = members({ spec: members({ active: workload, draining: each(workload), addresses }) });
  const workloadIntent = members({ spec: workload });
  const anyIntent: Rule = (value) => {
    const { action } = value as { action: string };
    return action === "apply" || action === "remove" ? workloadIntent(value) : intent(value);
  };
  const error = members({ message: text });
  const backend = members({ probes: each(members({ summary: text })), reason: text });
  const problems = members({ problems: each(text) });
  const switched = members({ failure: error });
  const discovery = members({ attempts: each(members({ outcome: text })) });
  const namespaceObject = members({ name: namespace, labels });
  const watch = members({ reason: text });
  const memory = members({ namespaces: each(namespaceObject), pods: each(pod) });

  return {
    "agent.started": agent,
    "agent.stopped": members({ reason: text }),
    "backend.selected": backend,
    "log.gap": members({ reason: text }),
    "namespace.observed": namespaceObject,
    "namespace.removed": namespaceObject,
    "pod.observed": pod,
    "node.observed": members({ name: on("node"), addresses }),
    "host.addresses": members({ addresses }),
    "watch.lost": watch,
    "interface.added": found,
    "discovery.failed": discovery,
    "proxies.found": proxiesFound,
    "redirection.requested": anyIntent,
    "redirection.failed": members({ error }),
    "drift.found": problems,
    "drift.mended": problems,
    "switch.requested": members({ reason: text }),
    "state.snapshot": members({
      agent,
      backend,
      switch: members({ reason: text, failure: error }),
      switched,
      namespaces: each(namespaceObject),
      pods: each(pod),
      interfaces: each(found),
      hostAddresses: addresses,
      observedAddresses: addresses,
      watches: each(watch),
      remembered: memory,
      recalled: each((subject) => redactedSubject(subject as string, redact)),
      requested: each(anyIntent),
      outcomes: each(members({ error })),
      drift: each(problems),
      discovery: each(discovery),
    }),
  };
}

/** Of all subjects only namespaces are named by name. */
export function redactedSubject(subject: string, redact: Pick<Redactions, "namespace">): string {
  const name = /^namespace\/(.*)$/.exec(subject)?.[1];
  return name === undefined ? subject : `namespace/${redact.namespace(name)}`;
}
