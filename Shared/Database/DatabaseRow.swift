internal import CLibPQ

/// The rows a statement gave, copied out of libpq on demand.
public final class DatabaseResult: RandomAccessCollection {
    private let handle: OpaquePointer
    private let statement: String

    init(handle: OpaquePointer, statement: String) {
        self.handle = handle
        self.statement = statement
    }

    deinit {
        PQclear(handle)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { Int(PQntuples(handle)) }
    public subscript(position: Int) -> DatabaseRow {
        precondition(position >= 0 && position < endIndex, "row \(position) of \(endIndex)")
        return DatabaseRow(result: self, index: Int32(position))
    }

    /// How many rows an INSERT, UPDATE, DELETE or SELECT touched.
    public var affectedRows: Int {
        Int(String(cString: PQcmdTuples(handle))) ?? 0
    }

    fileprivate func cell(row: Int32, column name: String) throws -> DatabaseCell {
        let column = name.withCString { PQfnumber(handle, $0) }
        // PQfnumber folds unquoted names to lower case, as SQL does.
        guard column >= 0 else {
            throw DatabaseError(code: .unexpectedResult, message: "the result has no column \"\(name)\"", statement: statement)
        }
        return try cell(row: row, column: Int(column))
    }

    fileprivate func cell(row: Int32, column: Int) throws -> DatabaseCell {
        guard column >= 0, column < Int(PQnfields(handle)) else {
            throw DatabaseError(code: .unexpectedResult, message: "the result has no column \(column)", statement: statement)
        }
        let index = Int32(column)
        let type = UInt32(PQftype(handle, index))
        guard PQgetisnull(handle, row, index) == 0 else { return DatabaseCell(type: type, bytes: nil) }
        let bytes = UnsafeRawBufferPointer(start: PQgetvalue(handle, row, index), count: Int(PQgetlength(handle, row, index)))
        return DatabaseCell(type: type, bytes: bytes)
    }
}

/// One row of a result; valid as long as somebody holds it.
public struct DatabaseRow {
    let result: DatabaseResult
    let index: Int32

    /// The column's value. Throws `unexpected_result` when it is absent, NULL (unless `Value` is optional) or of another type.
    public func decode<Value: DatabaseDecodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        do {
            return try withExtendedLifetime(result) { try Value(cell: result.cell(row: index, column: column)) }
        } catch let error as DatabaseError {
            throw DatabaseError(code: error.code, message: "column \"\(column)\": \(error.message)", statement: error.statement)
        }
    }

    /// The value of the column at this position, counted from 0.
    public func decode<Value: DatabaseDecodable>(_ column: Int, as type: Value.Type = Value.self) throws -> Value {
        try withExtendedLifetime(result) { try Value(cell: result.cell(row: index, column: column)) }
    }
}

/// A value as PostgreSQL sent it, in binary format, borrowed from the result.
public struct DatabaseCell {
    let type: UInt32
    let bytes: UnsafeRawBufferPointer?

    func required() throws -> UnsafeRawBufferPointer {
        guard let bytes else { throw DatabaseError(code: .unexpectedResult, message: "is NULL") }
        return bytes
    }

    func mismatch(_ wanted: String) -> DatabaseError {
        DatabaseError(code: .unexpectedResult, message: "has type oid \(type), not \(wanted); cast it in the statement")
    }

    func bigEndian<Number: FixedWidthInteger>(_: Number.Type) throws -> Number {
        let bytes = try required()
        guard bytes.count == MemoryLayout<Number>.size else { throw mismatch("a number of \(MemoryLayout<Number>.size) bytes") }
        return Number(bigEndian: bytes.loadUnaligned(as: Number.self))
    }
}

/// A Swift type that a result's value can become.
public protocol DatabaseDecodable {
    init(cell: DatabaseCell) throws
}

/// Object identifiers of built-in types (PostgreSQL's `pg_type.dat`).
private enum TypeID {
    static let bool: UInt32 = 16, bytea: UInt32 = 17, name: UInt32 = 19, int8: UInt32 = 20, int2: UInt32 = 21
    static let int4: UInt32 = 23, text: UInt32 = 25, oid: UInt32 = 26, json: UInt32 = 114, float4: UInt32 = 700, float8: UInt32 = 701
    static let unknown: UInt32 = 705, bpchar: UInt32 = 1042, varchar: UInt32 = 1043, timestamp: UInt32 = 1114
    static let timestamptz: UInt32 = 1184, jsonb: UInt32 = 3802
}

extension Int64: DatabaseDecodable {
    /// From `smallint`, `integer` or `bigint`; from `timestamptz` the microseconds since 1970.
    public init(cell: DatabaseCell) throws {
        switch cell.type {
        case TypeID.int2: self = Int64(try cell.bigEndian(Int16.self))
        case TypeID.int4: self = Int64(try cell.bigEndian(Int32.self))
        case TypeID.oid: self = Int64(try cell.bigEndian(UInt32.self))
        case TypeID.int8: self = try cell.bigEndian(Int64.self)
        case TypeID.timestamptz, TypeID.timestamp:
            // PostgreSQL counts from 2000-01-01; its infinities are the extremes.
            let value = try cell.bigEndian(Int64.self)
            let (sum, overflow) = value.addingReportingOverflow(946_684_800_000_000)
            self = overflow ? (value < 0 ? .min : .max) : (value == .min ? .min : sum)
        default: throw cell.mismatch("an integer")
        }
    }
}

extension Int: DatabaseDecodable {
    public init(cell: DatabaseCell) throws { self = Int(try Int64(cell: cell)) }
}

extension Int32: DatabaseDecodable {
    public init(cell: DatabaseCell) throws {
        guard let value = Int32(exactly: try Int64(cell: cell)) else { throw cell.mismatch("an integer of 32 bits") }
        self = value
    }
}

extension Bool: DatabaseDecodable {
    public init(cell: DatabaseCell) throws {
        guard cell.type == TypeID.bool, let byte = try cell.required().first else { throw cell.mismatch("boolean") }
        self = byte != 0
    }
}

extension Double: DatabaseDecodable {
    public init(cell: DatabaseCell) throws {
        switch cell.type {
        case TypeID.float4: self = Double(Float(bitPattern: try cell.bigEndian(UInt32.self)))
        case TypeID.float8: self = Double(bitPattern: try cell.bigEndian(UInt64.self))
        case TypeID.int2, TypeID.int4, TypeID.int8: self = Double(try Int64(cell: cell))
        default: throw cell.mismatch("double precision")
        }
    }
}

extension String: DatabaseDecodable {
    /// From the text types, `json` and `jsonb`.
    public init(cell: DatabaseCell) throws {
        let bytes = try cell.required()
        switch cell.type {
        case TypeID.text, TypeID.varchar, TypeID.bpchar, TypeID.name, TypeID.json, TypeID.unknown:
            self = String(decoding: bytes, as: UTF8.self)
        case TypeID.jsonb:
            // The binary form of jsonb is a version byte and the text.
            self = String(decoding: bytes.dropFirst(), as: UTF8.self)
        default: throw cell.mismatch("text")
        }
    }
}

extension Array: DatabaseDecodable where Element: DatabaseArrayDecodable {
    public init(cell: DatabaseCell) throws { self = try Element.array(from: cell) }
}

/// An element whose arrays can be decoded; `[UInt8]` is one `bytea`.
public protocol DatabaseArrayDecodable {
    static func array(from cell: DatabaseCell) throws -> [Self]
}

extension UInt8: DatabaseArrayDecodable {
    public static func array(from cell: DatabaseCell) throws -> [UInt8] {
        guard cell.type == TypeID.bytea else { throw cell.mismatch("bytea") }
        return [UInt8](try cell.required())
    }
}

extension String: DatabaseArrayDecodable {
    public static func array(from cell: DatabaseCell) throws -> [String] { try cell.elements() }
}

extension Int64: DatabaseArrayDecodable {
    public static func array(from cell: DatabaseCell) throws -> [Int64] { try cell.elements() }
}

extension Array: DatabaseArrayDecodable where Element == UInt8 {
    public static func array(from cell: DatabaseCell) throws -> [[UInt8]] { try cell.elements() }
}

extension Optional: DatabaseDecodable where Wrapped: DatabaseDecodable {
    public init(cell: DatabaseCell) throws {
        self = cell.bytes == nil ? nil : .some(try Wrapped(cell: cell))
    }
}

extension DatabaseCell {
    /// The elements of a one-dimensional array (`array_send` in PostgreSQL's source gives the layout).
    func elements<Element: DatabaseDecodable>() throws -> [Element] {
        let bytes = try required()
        func word(_ offset: Int) throws -> Int32 {
            guard offset + 4 <= bytes.count else { throw mismatch("an array") }
            return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        }
        let dimensions = try word(0)
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw mismatch("an array of one dimension") }
        let elementType = UInt32(bitPattern: try word(8))
        let count = Int(try word(12))
        var offset = 20
        var elements: [Element] = []
        for _ in 0..<max(0, count) {
            let length = Int(try word(offset))
            offset += 4
            if length < 0 {
                elements.append(try Element(cell: DatabaseCell(type: elementType, bytes: nil)))
                continue
            }
            guard offset + length <= bytes.count else { throw mismatch("an array") }
            elements.append(
                try Element(cell: DatabaseCell(type: elementType, bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))))
            offset += length
        }
        return elements
    }
}
