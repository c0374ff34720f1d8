// One thing about the source that is not as it should be.

export interface Finding {
  /** error: changes would be lost or cannot be read. warning: it works, with the stated risk. */
  readonly severity: 'error' | 'warning';
  /** Stable: WB21 and two digits, or the code of the fault that the tail would end with. */
  readonly code: `WB${number}`;
  readonly what: string;
  /** What to do: a statement where one mends it. */
  readonly next: string;
}

const MENDED_BY_INIT = new Set<string>(['WB2130', 'WB2131', 'WB2132', 'WB2133', 'WB2135', 'WB2140']);

/** Whether `planInit` has a statement against it; the others are for a person. */
export function isMendedByInit(finding: Finding): boolean {
  return MENDED_BY_INIT.has(finding.code);
}
