// Scrolling, and work that waits while it is fast.
import { test, equal } from "../support/runner.js";
import { Motion, SharedFrames } from "../../../Web/app/motion.js";

test("scrolling is fast by its speed, not by one jump after a rest, and rests by itself", () => {
  const motion = new Motion({ limit: 1.5, memory: 150 });
  motion.moved(5000, 1000);
  equal(motion.isFast(1000), false, "a jump");
  motion.moved(5100, 1016);
  equal(motion.isFast(1016), true, "100 pixels in 16 ms");
  equal([motion.isFast(1165), motion.isFast(1167)], [true, false], "and after");
  motion.moved(5110, 1170);
  equal(motion.isFast(1170), false, "a rest before it");
  motion.moved(5120, 1186);
  equal(motion.isFast(1186), false, "slowly");
  motion.moved(4000, 1202);
  equal(motion.isFast(1202), true, "back");
});

test("work shares a few milliseconds of each frame, the oldest first, and waits while it is held", () => {
  let now = 0, isHeld = false;
  const frames = [], done = [];
  const shared = new SharedFrames({ budget: 6, isHeld: () => isHeld, request: action => frames.push(action), now: () => now });
  const piece = (name, takes) => ({ work() { done.push(name); now += takes; } });
  const [a, b, c, d] = [piece("a", 4), piece("b", 4), piece("c", 20), piece("d", 1)];
  for (const one of [a, b, c, d, a]) shared.add(one);
  equal(frames.length, 1, "one frame is asked for");
  frames.shift()();
  equal(done, ["a", "b"], "what the first frame has time for");
  isHeld = true;
  frames.shift()();
  equal([done.length, frames.length], [2, 0], "nothing while held, and no frame is asked for");
  shared.add(b);
  equal(frames.length, 0);
  shared.remove(b);
  isHeld = false;
  shared.ask();
  frames.shift()();
  equal(done, ["a", "b", "c"], "at least one in a frame");
  frames.shift()();
  equal([done, frames.length], [["a", "b", "c", "d"], 0]);
});
