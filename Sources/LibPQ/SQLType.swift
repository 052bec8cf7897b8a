/// The object ids of built-in types, which are the same on every server.
enum SQLType {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let internalChar: UInt32 = 18
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let xml: UInt32 = 142
    static let float4: UInt32 = 700
    static let float8: UInt32 = 701
    static let unknown: UInt32 = 705
    static let bpchar: UInt32 = 1042
    static let varchar: UInt32 = 1043
    static let timestamp: UInt32 = 1114
    static let timestamptz: UInt32 = 1184
    static let void: UInt32 = 2278
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802

    static let boolArray: UInt32 = 1000
    static let int4Array: UInt32 = 1007
    static let textArray: UInt32 = 1009
    static let float8Array: UInt32 = 1022
    static let timestamptzArray: UInt32 = 1185
    static let uuidArray: UInt32 = 2951

    /// Types whose binary form is the text itself.
    static let binaryText: Set<UInt32> = [text, varchar, bpchar, name, internalChar, json, xml, unknown]

    /// Types this client reads in binary form.
    ///
    /// A result with any other column comes as text as a whole: libpq asks for one format per result.
    static let binaryReadable: Set<UInt32> = binaryText.union([
        bool, bytea, int8, int2, int4, oid, float4, float8, timestamp, timestamptz, void, uuid, jsonb,
    ])
}
