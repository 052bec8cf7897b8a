#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A type that values of a result can be read as.
package protocol SQLDecodable: Sendable {
    /// - Throws: `decoding` when the value is NULL or of a type this is not read from.
    init(_ value: SQLValue) throws
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
    package init(_ value: SQLValue) throws {
        self = value.isNull ? nil : try Wrapped(value)
    }
}

extension String: SQLDecodable {
    /// Reads text, `json`, `jsonb` and whatever else came as text; other types are not turned into text
    /// here, cast them in the statement.
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: String.self) { bytes in
            guard value.isBinary else { return unsafe String(decoding: bytes, as: UTF8.self) }
            if SQLType.binaryText.contains(value.type) {
                return unsafe String(decoding: bytes, as: UTF8.self)
            }
            if value.type == SQLType.void { return "" }
            // The binary form of jsonb is its text behind a version number.
            guard value.type == SQLType.jsonb, unsafe bytes.first == 1 else { return nil }
            return unsafe String(decoding: bytes.dropFirst(), as: UTF8.self)
        }
    }
}

extension Bool: SQLDecodable {
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: Bool.self) { bytes in
            guard value.type == SQLType.bool, bytes.count == 1, let byte = unsafe bytes.first else {
                return nil
            }
            return value.isBinary ? byte != 0 : byte == UInt8(ascii: "t")
        }
    }
}

extension [UInt8]: SQLDecodable {
    /// Reads `bytea` and the text types, whose bytes are their UTF-8.
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: [UInt8].self) { bytes in
            if SQLType.binaryText.contains(value.type) { return unsafe [UInt8](bytes) }
            guard value.type == SQLType.bytea else { return nil }
            return value.isBinary ? unsafe [UInt8](bytes) : unsafe Self.fromHex(bytes)
        }
    }

    /// The text form of `bytea`: `\x` and two digits for each byte.
    private static func fromHex(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count.isMultiple(of: 2), unsafe text.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")])
        else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = unsafe hexDigit(text[index]), let low = unsafe hexDigit(text[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

extension UUID: SQLDecodable {
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: UUID.self) { bytes in
            guard value.type == SQLType.uuid else { return nil }
            guard value.isBinary else {
                return unsafe UUID(uuidString: String(decoding: bytes, as: UTF8.self))
            }
            guard bytes.count == 16 else { return nil }
            return unsafe UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
        }
    }
}

extension PostgresTimestamp: SQLDecodable {
    /// Reads `timestamptz`, and `timestamp` as if it were in UTC.
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: PostgresTimestamp.self) { bytes in
            guard value.type == SQLType.timestamptz || value.type == SQLType.timestamp else { return nil }
            guard value.isBinary else {
                return unsafe PostgresTimestamp(postgresText: String(decoding: bytes, as: UTF8.self))
            }
            return unsafe bytes.loadBigEndian(Int64.self).map(PostgresTimestamp.init(microseconds:))
        }
    }
}

private func hexDigit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: nil
    }
}
