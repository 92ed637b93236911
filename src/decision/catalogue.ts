/** One permission of a catalogue. */
export interface CataloguePermission {
  /** Stable, never reused. */
  readonly id: number;
  readonly resource: string;
  readonly action: string;
  readonly description: string;
}

/** A resource type of a catalogue. */
export interface ResourceType {
  readonly name: string;
  readonly description: string;
  /** A request about it without a classification is denied. */
  readonly classified: boolean;
  /** Action names in the order of the catalogue. */
  readonly actions: readonly string[];
}

/** The world of an application: which permissions exist. Immutable once loaded. */
export interface Catalogue {
  readonly name: string;
  readonly resourceTypes: ReadonlyMap<string, ResourceType>;
  /** By `resource:action`. */
  readonly permissions: ReadonlyMap<string, CataloguePermission>;
}
