import CLibPQ

/// Lends strings as the array of C strings, ended by nil, that libpq takes.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
) -> Result {
    var storage: [CChar] = []
    let offsets = strings.map { string in
        let start = storage.count
        storage.append(contentsOf: string.utf8.lazy.map { CChar(bitPattern: $0) })
        storage.append(0)
        return start
    }
    return unsafe storage.withUnsafeBufferPointer { storage in
        let pointers =
            unsafe offsets.map { offset in unsafe storage.baseAddress.map { unsafe $0 + offset } } + [nil]
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}

/// Reads the options that have a value from an array of libpq's.
func connectionOptions(from first: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
    var options: [String: String] = [:]
    var next = unsafe first
    while let keyword = unsafe next.pointee.keyword {
        if let value = unsafe next.pointee.val {
            unsafe options[String(cString: keyword)] = String(cString: value)
        }
        unsafe next += 1
    }
    return options
}

/// Reads a connection string without connecting and without the environment.
///
/// - Throws: `invalidConfiguration`. libpq quotes the offending part, which can be the password or the
///   whole string; the quotation is left out.
func parsedConnectionString(_ string: String) throws -> [String: String] {
    guard !string.utf8.contains(0) else {
        throw PostgresError(.invalidConfiguration, "the connection string has a NUL character in it")
    }
    var message: UnsafeMutablePointer<CChar>?
    guard let first = unsafe PQconninfoParse(string, &message) else {
        let text = unsafe message.map { unsafe String(cString: $0) } ?? "out of memory"
        unsafe PQfreemem(message)
        throw PostgresError(
            .invalidConfiguration, "the connection string cannot be read: \(withoutQuotations(text))")
    }
    defer { unsafe PQconninfoFree(first) }
    return unsafe connectionOptions(from: first)
}

/// The text without what stands between its first and its last quotation mark.
func withoutQuotations(_ text: String) -> String {
    let text = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    guard let first = text.firstIndex(of: "\""), let last = text.lastIndex(of: "\""), first != last else {
        return text
    }
    return text[...first] + "…" + text[last...]
}
