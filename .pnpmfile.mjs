/**
 * What a package says of itself once it is packed: the condition `source` leads this workspace's own tools to TypeScript that is not
 * shipped, as are helpers of tests, and neither scripts nor development dependencies are of use to who installs it.
 */
function published({ scripts: _, devDependencies: __, ...manifest }) {
  return { ...manifest, ...(manifest.exports && { exports: withoutSource(manifest.exports) }) };
}

function withoutSource(exports) {
  if (typeof exports !== "object" || exports === null) return exports;
  const kept = Object.entries(exports).filter(([key]) => key !== "source" && key !== "./testing");
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutSource(value)]));
}

export const hooks = { beforePacking: published };
