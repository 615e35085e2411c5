/** Labels in use, each with the number of things that bear it, and fresh ones made from a base. */
export class Names {
  private readonly bearers = new Map<string, number>();
  /** The number to try next for a base, so that many labels from one base take linear time. */
  private readonly next = new Map<string, number>();

  has(name: string): boolean {
    return this.bearers.has(name);
  }

  add(name: string): void {
    this.bearers.set(name, (this.bearers.get(name) ?? 0) + 1);
  }

  /** One bearer fewer; a label that nobody bears may be given again. */
  release(name: string): void {
    const count = this.bearers.get(name) ?? 0;
    if (count > 1) this.bearers.set(name, count - 1);
    else this.bearers.delete(name);
  }

  /** Takes `base` itself, or the first of `base_1`, `base_2`, … that was not given yet. */
  take(base: string): string {
    let name = base;
    if (name === '' || this.bearers.has(name)) {
      let count = this.next.get(base) ?? 1;
      for (name = `${base}_${count}`; this.bearers.has(name); name = `${base}_${count}`) count++;
      this.next.set(base, count + 1);
    }
    this.bearers.set(name, 1);
    return name;
  }
}
