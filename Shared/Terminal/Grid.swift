/// What a row remembers beside its cells.
struct RowFlags {
    /// The text goes on in the next row: it was wrapped, not ended.
    static let wrapped: UInt8 = 1
    static let deltaDirty: UInt8 = 2
    static let indexDirty: UInt8 = 4
    static let dirty: UInt8 = 6
    static let doubleWidth: UInt8 = 8
    static let doubleTop: UInt8 = 16
    static let doubleBottom: UInt8 = 32
    static let doubleMask: UInt8 = 56
    /// Every cell is 0. A row without it may be blank too.
    static let blank: UInt8 = 64
    /// Flags that belong to the content, not to the trackers.
    static let content: UInt8 = wrapped | doubleMask
}

/// Rows of cells. Scrolling rotates row numbers and copies nothing.
///
/// Callers pass rows in `0..<rows` and columns in `0..<columns`; `Core` clamps everything that comes from outside.
struct Grid: ~Copyable {
    private(set) var columns: Int
    private(set) var rows: Int
    private var cells: UnsafeMutablePointer<UInt64>
    /// Where each screen row is stored.
    private var map: UnsafeMutablePointer<Int32>
    /// By stored row, so that they travel with it.
    private var flags: UnsafeMutablePointer<UInt8>
    /// Full-screen scrolls since the last delta was taken.
    var scrolled = 0
    /// The same for the index.
    var indexScrolled = 0
    /// Counts every change of a cell.
    var version: UInt64 = 0

    init(columns: Int, rows: Int) {
        precondition(columns >= 0 && rows >= 0, "a grid cannot have negative sides")
        self.columns = columns
        self.rows = rows
        cells = .allocate(capacity: max(1, columns * rows))
        cells.initialize(repeating: 0, count: columns * rows)
        map = .allocate(capacity: max(1, rows))
        flags = .allocate(capacity: max(1, rows))
        for row in 0..<rows {
            map[row] = Int32(row)
            flags[row] = RowFlags.dirty
        }
    }

    deinit {
        cells.deallocate()
        map.deallocate()
        flags.deallocate()
    }

    /// The cells of a row; valid until the grid is replaced.
    @inline(__always)
    func row(_ row: Int) -> UnsafeMutablePointer<UInt64> {
        assert(row >= 0 && row < rows)
        return cells + Int(map[row]) &* columns
    }

    @inline(__always)
    subscript(row: Int, column: Int) -> Cell {
        get { Cell(raw: self.row(row)[column]) }
        nonmutating set { self.row(row)[column] = newValue.raw }
    }

    func rowFlags(_ row: Int) -> UInt8 { flags[Int(map[row])] }

    @inline(__always)
    func isWrapped(_ row: Int) -> Bool { flags[Int(map[row])] & RowFlags.wrapped != 0 }

    @inline(__always)
    func setWrapped(_ row: Int, _ wrapped: Bool) {
        let index = Int(map[row])
        guard (flags[index] & RowFlags.wrapped != 0) != wrapped else { return }
        // To whoever reads lines it is a change, although every cell may be what it was.
        flags[index] = (flags[index] ^ RowFlags.wrapped) | RowFlags.indexDirty
    }

    func setContentFlags(_ row: Int, _ content: UInt8) {
        flags[Int(map[row])] = flags[Int(map[row])] & ~RowFlags.content | content & RowFlags.content
    }

    func isDoubleWidth(_ row: Int) -> Bool { flags[Int(map[row])] & RowFlags.doubleWidth != 0 }

    @inline(__always)
    mutating func touch(_ row: Int) {
        let index = Int(map[row])
        flags[index] = flags[index] & ~RowFlags.blank | RowFlags.dirty
        version &+= 1
    }

    /// Whether the row is known to be blank, so that erasing it changes nothing.
    @inline(__always)
    func isBlank(_ row: Int) -> Bool { flags[Int(map[row])] & RowFlags.blank != 0 }

    /// Makes every cell of a row 0.
    mutating func clear(_ row: Int) {
        if isBlank(row) { return }
        fill(row, 0, columns, 0)
        flags[Int(map[row])] |= RowFlags.blank
    }

    mutating func touchAll() {
        for row in 0..<rows { flags[row] |= RowFlags.dirty }
        version &+= 1
    }

    func isDirty(_ row: Int, _ bit: UInt8) -> Bool { flags[Int(map[row])] & bit != 0 }

    func clean(_ bit: UInt8) {
        for row in 0..<rows { flags[row] &= ~bit }
    }

    /// Puts one value into cells of a row and notes whether that changed anything.
    @inline(__always)
    mutating func fill(_ row: Int, _ from: Int, _ to: Int, _ value: UInt64) {
        guard from < to else { return }
        let cells = self.row(row)
        var difference: UInt64 = 0
        for column in from..<to {
            difference |= cells[column] ^ value
            cells[column] = value
        }
        if difference != 0 { touch(row) }
    }

    /// Makes a row blank for new text after a scroll.
    @inline(__always)
    private func renew(_ stored: Int, _ value: UInt64) {
        (cells + stored &* columns).update(repeating: value, count: columns)
        flags[stored] = value == 0 ? RowFlags.dirty | RowFlags.blank : RowFlags.dirty
    }

    /// Moves whole rows of `top...bottom` up; the freed rows are filled with `value`.
    mutating func scrollUp(top: Int, bottom: Int, count: Int, value: UInt64) {
        let height = bottom - top + 1
        let count = min(count, height)
        guard count > 0 else { return }
        version &+= 1
        if count == 1 {
            let first = map[top]
            (map + top).update(from: map + top + 1, count: height - 1)
            map[bottom] = first
            renew(Int(first), value)
        } else {
            rotate(top: top, height: height, by: count)
            for row in (bottom - count + 1)...bottom { renew(Int(map[row]), value) }
        }
        if height == rows {
            scrolled &+= count
            indexScrolled &+= count
        } else {
            for row in top...bottom { flags[Int(map[row])] |= RowFlags.dirty }
        }
    }

    mutating func scrollDown(top: Int, bottom: Int, count: Int, value: UInt64) {
        let height = bottom - top + 1
        let count = min(count, height)
        guard count > 0 else { return }
        version &+= 1
        rotate(top: top, height: height, by: height - count)
        for row in top..<(top + count) { renew(Int(map[row]), value) }
        for row in top...bottom { flags[Int(map[row])] |= RowFlags.dirty }
    }

    /// Rotates row numbers to the left.
    private func rotate(top: Int, height: Int, by count: Int) {
        guard count > 0, count < height else { return }
        let old = (0..<height).map { map[top + $0] }
        for row in 0..<height { map[top + row] = old[(row + count) % height] }
    }

    /// Cells of a row up to the last one that was written to.
    @inline(__always)
    func usedColumns(_ row: Int) -> Int {
        if isBlank(row) { return 0 }
        let cells = self.row(row)
        var used = columns
        while used >= 8 {
            let end = cells + used
            if end[-1] | end[-2] | end[-3] | end[-4] | end[-5] | end[-6] | end[-7] | end[-8] != 0 { break }
            used -= 8
        }
        while used > 0 && cells[used - 1] == 0 { used -= 1 }
        return used
    }

    /// Marks in `used` what `field` takes from every cell.
    func mark(_ used: inout [Bool], _ field: (Cell) -> Int) {
        for index in 0..<(columns * rows) where cells[index] != 0 { used[field(Cell(raw: cells[index]))] = true }
    }

    func rewrite(_ change: (Cell) -> Cell) {
        for index in 0..<(columns * rows) where cells[index] != 0 { cells[index] = change(Cell(raw: cells[index])).raw }
    }

    /// Takes over the count of changes of the grid this one replaces.
    mutating func adoptVersion(_ old: inout Grid) {
        version = old.version &+ 1
    }
}
