import { canonicalCidr } from "../events/cidr.ts";
import type { EventRecord } from "../events/event.ts";
import { ANNOTATIONS } from "../kubernetes/annotations.ts";
import { scrubbed } from "./free-text.ts";
import { type Redactions, redactedSubject, redactionRules } from "./places.ts";
import { addressPseudonyms, macPseudonyms, namePseudonyms, networkPseudonyms, type Pseudonyms } from "./pseudonyms.ts";

const KINDS = ["namespace", "pod", "node", "netns", "mac", "address", "network"] as const;
type Kind = (typeof KINDS)[number];

const PORTS: readonly string[] = [ANNOTATIONS.excludeOutboundPorts, ANNOTATIONS.excludeInboundPorts];
const NETWORKS: readonly string[] = [ANNOTATIONS.excludeOutboundCidrs, ANNOTATIONS.excludeInboundCidrs];
/** Values that decisions know; any other is as good as any other. */
const KNOWN_VALUES: readonly string[] = ["true", "false", "enabled", "disabled"];
const OTHER = "redacted";

/**
 * Takes names of namespaces, pods and nodes, addresses of all kinds and foreign label values out of a log, the same word for the same word
 * everywhere. Identities that Kubernetes and the runtime made up (UIDs, container ids, interface names) stay, and so do times and numbers.
 * What is decided about the redacted events is what was decided, redacted.
 */
export class Redactor {
  readonly #rules: ReturnType<typeof redactionRules>;
  readonly #redactions: Redactions;

  /** Reads the whole log once: pseudonyms are given in the order of all words. */
  constructor(records: Iterable<EventRecord>) {
    const words = Object.fromEntries(KINDS.map((kind) => [kind, new Set<string>()])) as Record<Kind, Set<string>>;
    const values = new Set<string>();
    const collect = collector(words);
    const rules = redactionRules(collect);
    for (const record of records) {
      rules[record.type]?.(record.data);
      redactedSubject(record.subject, collect);
      for (const value of decisiveValues(record)) values.add(value);
    }
    this.#redactions = replacer(words, values);
    this.#rules = redactionRules(this.#redactions);
  }

  /** Of a record that the constructor has seen. */
  redact(record: EventRecord): EventRecord {
    const subject = redactedSubject(record.subject, this.#redactions);
    const data = this.#rules[record.type]?.(record.data) ?? record.data;
    return { ...record, subject, data } as EventRecord;
  }
}

/** Notes every word and changes nothing. */
function collector(words: Record<Kind, Set<string>>): Redactions {
  const note = (kind: Kind) => (word: string) => {
    if (word !== "") words[kind].add(word);
    return word;
  };
  const notes = Object.fromEntries(KINDS.map((kind) => [kind, note(kind)])) as unknown as Pick<Redactions, Kind>;
  return {
    ...notes,
    text: (text) => text,
    labels: (labels) => labels,
    annotations: (annotations) => {
      for (const key of NETWORKS)
        for (const network of networksIn(annotations[key])) if (network) words.network.add(network);
      return annotations;
    },
  };
}

function replacer(words: Record<Kind, ReadonlySet<string>>, values: ReadonlySet<string>): Redactions {
  const pseudonyms: Record<Kind, Pseudonyms> = {
    namespace: namePseudonyms("namespace", words.namespace),
    pod: namePseudonyms("pod", words.pod),
    node: namePseudonyms("node", words.node),
    netns: namePseudonyms("/run/netns/netns", words.netns),
    mac: macPseudonyms(words.mac),
    address: addressPseudonyms(words.address),
    network: networkPseudonyms(words.network),
  };
  const replace = (kind: Kind) => (word: string) => pseudonyms[kind].get(word) ?? word;
  const anyKind = (word: string) => {
    for (const kind of KINDS) {
      const other = pseudonyms[kind].get(word);
      if (other !== undefined) return other;
    }
    return undefined;
  };
  const replacements = Object.fromEntries(KINDS.map((kind) => [kind, replace(kind)])) as unknown as Pick<
    Redactions,
    Kind
  >;
  const annotation = (key: string, value: string): string => {
    if (KNOWN_VALUES.includes(value)) return value;
    if (PORTS.includes(key)) return listOf(value, (port) => (/^\d*$/.test(port) ? port : OTHER));
    if (!NETWORKS.includes(key)) return OTHER;
    return networksIn(value)
      .map((network) => (network === undefined ? OTHER : replace("network")(network)))
      .join(",");
  };
  return {
    ...replacements,
    text: (text) => scrubbed(text, anyKind),
    labels: (labels) => mapped(labels, (_, value) => (values.has(value) ? value : OTHER)),
    annotations: (annotations) => mapped(annotations, annotation),
  };
}

/** Label values that membership and the choice of proxies compare with. */
function decisiveValues({ type, data }: EventRecord): string[] {
  const config = type === "agent.started" ? data.config : type === "state.snapshot" ? data.agent?.config : undefined;
  return config === undefined ? [] : [...Object.values(config.proxy.labels), config.membership.namespaceLabel.value];
}

/** The networks of an annotation, as decisions read them; undefined for what is none. */
function networksIn(list: string | undefined): (string | undefined)[] {
  return (list ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(canonicalCidr);
}

function listOf(list: string, change: (item: string) => string): string {
  return list
    .split(",")
    .map((item) => change(item.trim()))
    .join(",");
}

function mapped(
  record: Readonly<Record<string, string>>,
  change: (key: string, value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(key, value)]));
}
