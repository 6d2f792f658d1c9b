/** Arguments of setpriv(1): not root, and no capability but to read this checkout wherever it lies. */
export const AS_NOBODY = [
  "--inh-caps=-all,+dac_read_search",
  "--ambient-caps=-all,+dac_read_search",
  "--bounding-set=-all,+dac_read_search",
  "--reuid=65534",
  "--regid=65534",
  "--clear-groups",
] as const;
