/**
 * Put before a program that changes something: the kernel kills it when the process that started it ends, however that ends (prctl(2),
 * PR_SET_PDEATHSIG, which execve(2) keeps). Else what a killed agent has begun would go on beside what the next one does.
 */
export const DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
