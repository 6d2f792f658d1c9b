/** For programs of which the sanitizers want nothing: what is loaded before Node is not for them, nor is an addon that needs it. */
export const PLAIN: NodeJS.ProcessEnv = { ...process.env };
delete PLAIN.LD_PRELOAD;
delete PLAIN.LIBBPF_TS_ADDON;
