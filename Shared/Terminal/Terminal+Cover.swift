/// For those who hide parts of a screen from whom they show it to.
extension Terminal {
    /// What each cell of a row shows: blanks as spaces, the second cell of a wide character as 0x110000 (which is no
    /// scalar), a character of several scalars as U+FFFD.
    public func rowScalars(_ row: Int) -> [UInt32] {
        guard row >= 0, row < core.rows else { return [] }
        return Core.scalars(core.grid, row)
    }

    /// The same for the screen that is not shown (the main one, behind the alternate); none where there is none.
    public func hiddenRowScalars(_ row: Int) -> [UInt32] {
        guard row >= 0, row < core.other.rows else { return [] }
        return Core.scalars(core.other, row)
    }

    public func isHiddenRowWrapped(_ row: Int) -> Bool { row >= 0 && row < core.other.rows && core.other.isWrapped(row) }
    /// Rows of the screen that is not shown.
    public var hiddenRows: Int { core.other.rows }

    /// Puts a narrow character into each of these cells, in their colours; what was there, and links on it, is gone. A wide character that is
    /// touched goes as a whole.
    ///
    /// For a terminal that is only shown from now on: what is fed to it afterwards does not know what was there.
    public func cover(row: Int, columns: Range<Int>, with mark: Unicode.Scalar, hidden: Bool = false) {
        if hidden { Core.cover(&core.other, row, columns, mark) } else { Core.cover(&core.grid, row, columns, mark) }
    }

    /// Takes away the links that `isSecret` says of.
    public func dropLinks(where isSecret: (String) -> Bool) {
        let secret = Set(core.links.values.indices.dropFirst().filter { isSecret(core.links[$0].uri) })
        guard !secret.isEmpty else { return }
        func plain(_ cell: Cell) -> Cell { secret.contains(cell.link) ? Cell(raw: cell.raw & ~(~0 << Cell.linkShift)) : cell }
        core.grid.rewrite(plain)
        core.other.rewrite(plain)
    }

    public func replaceTitle(_ title: String) { core.title = title }
}

extension Core {
    static func scalars(_ grid: borrowing Grid, _ row: Int) -> [UInt32] {
        let cells = grid.row(row)
        return (0..<grid.columns).map { column in
            let cell = Cell(raw: cells[column])
            if cell.isTail || cell.isSpacer { return 0x11_0000 }
            if cell.isCluster { return 0xFFFD }
            return cell.scalar == 0 ? 0x20 : cell.scalar
        }
    }

    static func cover(_ grid: inout Grid, _ row: Int, _ columns: Range<Int>, _ mark: Unicode.Scalar) {
        guard row >= 0, row < grid.rows else { return }
        var columns = columns.clamped(to: 0..<grid.columns)
        guard !columns.isEmpty else { return }
        if columns.lowerBound > 0, grid[row, columns.lowerBound].isTail { columns = (columns.lowerBound - 1)..<columns.upperBound }
        if columns.upperBound < grid.columns, grid[row, columns.upperBound].isTail { columns = columns.lowerBound..<(columns.upperBound + 1) }
        for column in columns { grid[row, column] = Cell(raw: UInt64(mark.value) | grid[row, column].raw & Cell.styleMask) }
        grid.touch(row)
    }
}
