extension Int: SQLDecodable {}
extension Int64: SQLDecodable {}
extension Int32: SQLDecodable {}

extension SQLDecodable where Self: FixedWidthInteger {
    /// Reads `smallint`, `integer`, `bigint` and `oid`; a value out of range is an error.
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: Self.self) { bytes in
            let text = value.isBinary ? nil : unsafe String(decoding: bytes, as: UTF8.self)
            switch value.type {
            case SQLType.int2, SQLType.int4, SQLType.int8, SQLType.oid:
                if let text { return Self(text) }
            default: return nil
            }
            return switch bytes.count {
            case 2: unsafe bytes.loadBigEndian(Int16.self).flatMap(Self.init(exactly:))
            case 4 where value.type == SQLType.oid:
                unsafe bytes.loadBigEndian(UInt32.self).flatMap(Self.init(exactly:))
            case 4: unsafe bytes.loadBigEndian(Int32.self).flatMap(Self.init(exactly:))
            default: unsafe bytes.loadBigEndian(Int64.self).flatMap(Self.init(exactly:))
            }
        }
    }
}

extension Double: SQLDecodable {
    /// Reads `double precision`, `real`, the integers (a `bigint` may lose digits) and, rounded,
    /// `numeric`.
    package init(_ value: SQLValue) throws {
        self = try unsafe value.withBytes(as: Double.self) { bytes in
            guard value.isBinary else {
                guard Self.readable.contains(value.type) else { return nil }
                return unsafe Self.init(postgresText: String(decoding: bytes, as: UTF8.self))
            }
            return switch value.type {
            case SQLType.float8: unsafe bytes.loadBigEndian(UInt64.self).map(Double.init(bitPattern:))
            case SQLType.float4: unsafe bytes.loadBigEndian(UInt32.self).map { Double(Float(bitPattern: $0)) }
            case SQLType.int2, SQLType.int4, SQLType.int8: try Double(Int64(value))
            default: nil
            }
        }
    }

    private static let numeric: UInt32 = 1700
    private static let readable: Set<UInt32> = [
        SQLType.float8, SQLType.float4, SQLType.int2, SQLType.int4, SQLType.int8, numeric,
    ]

    private init?(postgresText text: String) {
        switch text {
        case "NaN": self = .nan
        case "Infinity": self = .infinity
        case "-Infinity": self = -.infinity
        default: self.init(text)
        }
    }
}

extension UnsafeRawBufferPointer {
    func loadBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value? {
        guard count == MemoryLayout<Value>.size else { return nil }
        return unsafe Value(bigEndian: loadUnaligned(as: Value.self))
    }
}
