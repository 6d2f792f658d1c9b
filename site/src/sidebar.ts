import { addressOf, listPages, REFERENCE, titleOf } from "./pages.ts";

interface Item {
  readonly text: string;
  readonly link?: string;
  readonly items?: Item[];
  readonly collapsed?: boolean;
}

/** The order in which somebody reads. A page that is in no group fails the build: it would not be found. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "Begin here": ["README.md", "docs/demo.md", "docs/architecture.md", "docs/data-path.md", "docs/glossary.md"],
  "Run it": [
    "docs/installing.md",
    "docs/configuration.md",
    "docs/operating.md",
    "docs/node-proxy.md",
    "docs/backends.md",
    "docs/compatibility.md",
    "docs/performance.md",
    "docs/uninstalling.md",
    "docs/error-codes.md",
  ],
  "On call": ["docs/explaining.md", "docs/shadow.md", "docs/replay.md", "docs/drift.md", "docs/crash-safety.md"],
  "The node's CNI chain": [
    "docs/cni-install.md",
    "docs/cni-plugin.md",
    "docs/cni-socket.md",
    "docs/kubernetes-watch.md",
  ],
  "Write a backend": ["docs/writing-a-backend.md", "docs/conformance.md", "docs/backend-nftables.md"],
  "Work on Millrace": ["CONTRIBUTING.md", "docs/releasing.md"],
};

export function sidebar(): Item[] {
  const pages = listPages();
  const named = new Set(Object.values(GROUPS).flat());
  const gone = [...named].filter((path) => !pages.includes(path));
  if (gone.length > 0) throw new Error(`site/src/sidebar.ts names pages that are not there: ${gone.join(", ")}`);
  const decisions = pages.filter((path) => path.startsWith("docs/adr/"));
  const parts = pages.filter((path) => /^(packages|bench|bpf|cni|deploy|examples|test)\//.test(path));
  const reference = pages.filter((path) => path.startsWith(`${REFERENCE}/`));
  const placed = new Set([...named, ...decisions, ...parts, ...reference]);
  const lost = pages.filter((path) => !placed.has(path));
  if (lost.length > 0) throw new Error(`site/src/sidebar.ts has no place for ${lost.join(", ")}`);
  return [
    ...Object.entries(GROUPS).map(([text, paths]) => ({ text, items: paths.map(item) })),
    { text: "Parts", collapsed: true, items: parts.map(item) },
    { text: "Decisions", collapsed: true, items: decisions.map(item) },
    { text: "Reference", link: "/reference/" },
  ];
}

function item(path: string): Item {
  return { text: path === "README.md" ? "What it is" : titleOf(path), link: addressOf(path) };
}
