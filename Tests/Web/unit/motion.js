// Scrolling, and work that waits while it is fast.
import { test, equal } from "../support/runner.js";
import { EasedFrames, Motion, SharedFrames } from "../../../Web/app/motion.js";

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

test("painting rests between frames while they come late, and not for a single late one", () => {
  let now = 0, painted = 0, wait = null, frame = null;
  const frames = new EasedFrames(() => { painted++; }, { late: 40, rest: 33, request: action => { frame = action; }, wait: (action, ms) => { wait = { action, ms }; }, now: () => now });
  /** Asks, lets the frame come after so many milliseconds, and says for how long it waited before it was asked for. */
  const next = after => {
    frames.ask();
    frames.ask();
    const rested = wait?.ms ?? 0;
    wait?.action();
    wait = null;
    now += after;
    frame();
    return rested;
  };
  equal([next(16), next(90), next(16), next(90), next(90)], [0, 0, 0, 0, 0], "late once, and once more");
  equal([next(90), next(90), next(90)], [33, 66, 66], "late again and again");
  equal([next(16), next(16), next(16), next(16)], [66, 33, 0, 0], "on time again");
  equal(painted, 12, "asked twice, painted once");
  frames.ask();
  frames.close();
  frame();
  frames.ask();
  equal(painted, 12, "nothing after the end");
});

test("a frame is asked for once at a time; late is what comes late or takes long to paint, not what has rested", () => {
  let now = 0, takes = 0, asksAgain = false, painted = 0;
  const asked = [], waits = [];
  const frames = new EasedFrames(() => {
    painted++;
    now += takes;
    if (asksAgain) { asksAgain = false; frames.ask(); }
  }, { late: 40, rest: 33, request: action => asked.push(action), wait: (action, ms) => waits.push({ action, ms }), now: () => now });
  frames.ask();
  frames.ask();
  equal([asked.length, waits.length], [1, 0], "once, and without a timer");
  asksAgain = true;
  asked.shift()();
  equal(asked.length, 1, "who asks while it is painted gets another frame");
  takes = 41;
  asked.shift()();
  frames.ask();
  asked.shift()();
  frames.ask();
  frames.ask();
  equal([asked.length, waits.map(({ ms }) => ms)], [0, [33]], "late twice");
  now += 500;
  waits.shift().action();
  takes = 40;
  asked.shift()();
  frames.ask();
  equal([asked.length, waits.length], [1, 0], "on time after its rest");
  asked.shift()();
  frames.close();
  frames.ask();
  equal([asked.length, waits.length, painted], [0, 0, 5], "nothing is asked for after the end");
});
