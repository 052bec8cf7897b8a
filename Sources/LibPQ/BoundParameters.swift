#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The parameters of one statement in the form libpq takes them.
///
/// All values stand in one buffer, so that a statement costs a handful of allocations however many
/// parameters it has.
struct BoundParameters: Sendable {
    private(set) var types: [UInt32] = []
    private(set) var formats: [Int32] = []
    private(set) var lengths: [Int32] = []
    /// Where each value starts in `storage`; nil is SQL NULL.
    private(set) var offsets: [Int?] = []
    private(set) var storage: [UInt8] = []

    private static let textFormat: Int32 = 0
    private static let binaryFormat: Int32 = 1
    /// The server refuses longer values anyway; this also keeps lengths within the 32 bits of the protocol.
    private static let maximumLength = 1 << 30

    var count: Int { types.count }

    /// - Throws: `invalidParameter`, naming the position, for text with a NUL, for array elements out of
    ///   range and for values the protocol cannot carry.
    init(_ parameters: [SQLParameter]) throws {
        guard !parameters.isEmpty else { return }
        guard parameters.count <= 65_535 else {
            throw PostgresError(
                .invalidParameter, "a statement takes at most 65535 parameters, not \(parameters.count)")
        }
        types.reserveCapacity(parameters.count)
        formats.reserveCapacity(parameters.count)
        lengths.reserveCapacity(parameters.count)
        offsets.reserveCapacity(parameters.count)
        for (index, parameter) in parameters.enumerated() {
            try append(parameter, position: index + 1)
        }
        // The buffer is never empty, so every value has an address: an address of nil would mean NULL.
        storage.append(0)
    }

    private mutating func append(_ parameter: SQLParameter, position: Int) throws {
        switch parameter {
        case .null:
            types.append(0)
            formats.append(Self.textFormat)
            lengths.append(0)
            offsets.append(nil)
        case .text(let value): try appendText(value, position)
        case .int(let value): try appendText(String(value), position)
        case .double(let value): try appendText(Self.text(of: value), position)
        case .bool(let value): try appendText(value ? "t" : "f", position)
        case .uuid(let value): try appendText(value.uuidString, position)
        case .timestamp(let value): try appendText(value.description, position)
        case .bytes(let value):
            try appendBinary(SQLType.bytea, position) { $0.append(contentsOf: value) }
        case .textArray(let values):
            for case let value? in values { try Self.refuseNUL(value, position) }
            try appendArray(values, SQLType.textArray, of: SQLType.text, position) {
                $0.append(contentsOf: $1.utf8)
            }
        case .uuidArray(let values):
            try appendArray(values, SQLType.uuidArray, of: SQLType.uuid, position) { storage, value in
                unsafe withUnsafeBytes(of: value.uuid) { unsafe storage.append(contentsOf: $0) }
            }
        case .intArray(let values):
            let elements = try values.map { value in
                try value.map { value in
                    guard let element = Int32(exactly: value) else {
                        throw PostgresError(
                            .invalidParameter, "parameter $\(position): an element does not fit into 32 bits")
                    }
                    return element
                }
            }
            try appendArray(elements, SQLType.int4Array, of: SQLType.int4, position) {
                $0.append(bigEndian: $1)
            }
        case .doubleArray(let values):
            try appendArray(values, SQLType.float8Array, of: SQLType.float8, position) {
                $0.append(bigEndian: $1.bitPattern)
            }
        case .boolArray(let values):
            try appendArray(values, SQLType.boolArray, of: SQLType.bool, position) { $0.append($1 ? 1 : 0) }
        case .timestampArray(let values):
            try appendArray(values, SQLType.timestamptzArray, of: SQLType.timestamptz, position) {
                $0.append(bigEndian: $1.microseconds)
            }
        }
    }

    /// Text without a type: the server reads it as whatever its place asks for.
    private mutating func appendText(_ text: String, _ position: Int) throws {
        try Self.refuseNUL(text, position)
        let start = storage.count
        storage.append(contentsOf: text.utf8)
        try finish(type: 0, Self.textFormat, start, position)
        // libpq takes text as C strings.
        storage.append(0)
    }

    private mutating func appendBinary(
        _ type: UInt32, _ position: Int, _ write: (inout [UInt8]) -> Void
    ) throws {
        let start = storage.count
        write(&storage)
        try finish(type: type, Self.binaryFormat, start, position)
    }

    private mutating func appendArray<Element>(
        _ values: [Element?], _ type: UInt32, of elementType: UInt32, _ position: Int,
        _ write: (inout [UInt8], Element) -> Void
    ) throws {
        try appendBinary(type, position) { storage in
            // Dimensions, whether there are NULLs, element type; then, unless empty, length and lower bound.
            storage.append(bigEndian: Int32(values.isEmpty ? 0 : 1))
            storage.append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
            storage.append(bigEndian: elementType)
            guard !values.isEmpty else { return }
            storage.append(bigEndian: Int32(truncatingIfNeeded: values.count))
            storage.append(bigEndian: Int32(1))
            for value in values {
                guard let value else {
                    storage.append(bigEndian: Int32(-1))
                    continue
                }
                let lengthAt = storage.count
                storage.append(bigEndian: Int32(0))
                write(&storage, value)
                let length = UInt32(truncatingIfNeeded: storage.count - lengthAt - 4)
                for byte in 0..<4 {
                    storage[lengthAt + byte] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * byte))
                }
            }
        }
    }

    private mutating func finish(type: UInt32, _ format: Int32, _ start: Int, _ position: Int) throws {
        let length = storage.count - start
        guard length < Self.maximumLength else {
            throw PostgresError(.invalidParameter, "parameter $\(position) is longer than a gigabyte")
        }
        types.append(type)
        formats.append(format)
        lengths.append(Int32(length))
        offsets.append(start)
    }

    /// Postgres has no character zero, and a C string would silently end there.
    private static func refuseNUL(_ text: String, _ position: Int) throws {
        guard !text.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, "parameter $\(position) has a NUL character in its text")
        }
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return String(value)
    }
}

extension BoundParameters {
    /// Lends the values as the C arrays that the send functions of libpq take.
    func withPointers<Result>(
        _ body: (
            _ types: UnsafePointer<UInt32>?,
            _ values: UnsafePointer<UnsafePointer<CChar>?>?,
            _ lengths: UnsafePointer<Int32>?,
            _ formats: UnsafePointer<Int32>?
        ) -> Result
    ) -> Result {
        unsafe storage.withUnsafeBufferPointer { storage in
            unsafe storage.withMemoryRebound(to: CChar.self) { storage in
                let values = unsafe offsets.map { offset -> UnsafePointer<CChar>? in
                    guard let offset, let base = storage.baseAddress else { return nil }
                    return unsafe base + offset
                }
                return unsafe values.withUnsafeBufferPointer { values in
                    unsafe types.withUnsafeBufferPointer { types in
                        unsafe lengths.withUnsafeBufferPointer { lengths in
                            unsafe formats.withUnsafeBufferPointer { formats in
                                unsafe body(
                                    types.baseAddress, values.baseAddress, lengths.baseAddress,
                                    formats.baseAddress)
                            }
                        }
                    }
                }
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}
