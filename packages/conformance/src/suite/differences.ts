/**
 * Where two backends cannot behave alike. A behaviour asks for what its backend shows ({@link Trial.difference}) and asserts that;
 * docs/backends.md has this table, which a test compares. A backend that is not named here shows what `ebpf` shows.
 */
export interface Difference {
  /** The behaviour that asserts it. */
  readonly behaviour: string;
  readonly about: string;
  /** By backend: a word the behaviour goes by, and what it means to a user. */
  readonly shows: Readonly<Record<string, { readonly as: string; readonly text: string }>>;
}

export const DIFFERENCES = {
  "masqueraded-source": {
    behaviour: "nodeport-masquerade",
    about: "The client of a masqueraded node port, as the proxy and the member see it",
    shows: {
      ebpf: {
        as: "node",
        text: "the node's address, which masquerading put there: packets are taken at the member's veth, behind it",
      },
      iptables: {
        as: "client",
        text: "the client's own address: the node routes into the tunnel, where nothing is masqueraded",
      },
    },
  },
  "direct-delivery": {
    behaviour: "x-local-delivery",
    about:
      "What the host's own rules see, under `localDelivery: direct`, of what the proxy sends to a member of its node",
    shows: {
      ebpf: {
        as: "past policy",
        text: "nothing: packets go from the proxy's veth straight to the member's",
      },
      iptables: {
        as: "policy",
        text: "all of it, but rules of the iptables FORWARD chain, which accept it first: packets are routed either way, and an nftables policy has its say",
      },
    },
  },
} as const satisfies Record<string, Difference>;

export type DifferenceId = keyof typeof DIFFERENCES;

/** What a backend shows, by its name. */
export function shownBy(id: DifferenceId, backend: string): { readonly as: string; readonly text: string } {
  const { shows }: Difference = DIFFERENCES[id];
  const shown = shows[backend] ?? shows.ebpf;
  if (shown === undefined) throw new RangeError(`difference ${id} does not say what ebpf shows`);
  return shown;
}

/** The table of docs/backends.md, in Markdown. */
export function renderDifferences(): string {
  const rows = Object.entries(DIFFERENCES).map(([id, { behaviour, about, shows }]) =>
    ["", `\`${id}\``, about, shows.ebpf.text, shows.iptables.text, `\`${behaviour}\``, ""].join(" | ").trim(),
  );
  return ["| id | what | `ebpf` | `iptables` | asserted by |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}
