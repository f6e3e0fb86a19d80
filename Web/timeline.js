// The timeline: how much changed when, inputs as ticks, idle spans shaded, and the playhead.

export class Timeline {
  constructor(element, onSeek) {
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.playhead = element.querySelector("#playhead");
    this.first = this.last = this.time = null;
    this.data = null;
    const seek = event => {
      const box = element.getBoundingClientRect();
      const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      if (this.first != null) onSeek(this.first + part * (this.last - this.first));
    };
    element.addEventListener("pointerdown", event => { element.setPointerCapture(event.pointerId); this.dragging = true; seek(event); });
    element.addEventListener("pointermove", event => { if (this.dragging) seek(event); });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { this.dragging = false; });
    new ResizeObserver(() => this.draw()).observe(element);
  }

  reset() {
    this.first = this.last = this.time = this.data = null;
    this.draw();
  }

  load(data) {
    this.data = data;
    this.bounds(Date.parse(data.first), Date.parse(data.last));
    this.draw();
  }

  bounds(first, last) {
    this.first = this.first == null ? first : Math.min(this.first, first);
    this.last = this.last == null ? last : Math.max(this.last, last);
  }

  move(time) {
    this.time = time;
    if (this.first == null || !(this.last > this.first)) return;
    const part = Math.min(1, Math.max(0, (time - this.first) / (this.last - this.first)));
    this.playhead.style.left = part * 100 + "%";
    this.element.setAttribute("aria-valuetext", new Date(time).toLocaleTimeString());
  }

  draw() {
    const { canvas, data } = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.width = this.element.clientWidth * scale, height = canvas.height = this.element.clientHeight * scale;
    const context = canvas.getContext("2d");
    if (!data || this.first == null || this.last <= this.first) return;
    const style = getComputedStyle(document.documentElement);
    const x = time => (Date.parse(time) - this.first) / (this.last - this.first) * width;
    context.fillStyle = style.getPropertyValue("--line");
    for (const span of data.idle) context.fillRect(x(span.from), height * 0.75, Math.max(1, x(span.to) - x(span.from)), height * 0.25);
    const most = Math.max(1, ...data.density.map(Math.log1p));
    const from = x(data.first), step = (x(data.last) - from) / Math.max(1, data.density.length);
    context.fillStyle = style.getPropertyValue("--quiet");
    data.density.forEach((bytes, index) => {
      const tall = Math.log1p(bytes) / most * height * 0.6;
      context.fillRect(from + index * step, height * 0.7 - tall, Math.max(1, step - scale), tall);
    });
    context.fillStyle = style.getPropertyValue("--amber");
    for (const entry of data.entries) {
      if (["input", "marker", "gap"].includes(entry.what)) context.fillRect(x(entry.time), height * 0.75, scale, height * 0.2);
    }
  }
}
