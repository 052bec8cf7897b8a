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
///   whole string; the quotation is left out, unless it is the name of an option.
func parsedConnectionString(_ string: String) throws -> [String: String] {
    guard !string.utf8.contains(0) else {
        throw PostgresError(.invalidConfiguration, "the connection string has a NUL character in it")
    }
    var message: UnsafeMutablePointer<CChar>?
    guard let first = unsafe PQconninfoParse(string, &message) else {
        let text = unsafe message.map { unsafe String(cString: $0) } ?? "out of memory"
        unsafe PQfreemem(message)
        throw unreadable(string, text)
    }
    defer { unsafe PQconninfoFree(first) }
    return unsafe connectionOptions(from: first)
}

private func unreadable(_ string: String, _ text: String) -> PostgresError {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    let unknown = UnknownOption(in: line)
    let reason = unknown?.isShown(of: string) == true ? line : withoutQuotations(line)
    var error = PostgresError(.invalidConfiguration, "the connection string cannot be read: \(reason)")
    // A wrong option is not what a password with a special character comes to.
    let isURL = ["postgresql://", "postgres://"].contains(where: string.hasPrefix)
    if isURL, unknown == nil { error.fault = .escaping }
    return error
}

/// libpq's own quotations, in front of those of the connection string.
private let fixedQuotations = [
    #"missing "=""#, #"missing key/value separator "=""#, #"extra key/value separator "=""#,
    #"end of string reached when looking for matching "]""#,
]

/// The line without what stands between its first and its last quotation mark.
func withoutQuotations(_ line: String) -> String {
    let quoted = line.dropFirst(fixedQuotations.first(where: line.hasPrefix)?.count ?? 0)
    guard let first = quoted.firstIndex(of: "\""), let last = quoted.lastIndex(of: "\""), first != last else {
        return line
    }
    return line[...first] + "…" + line[last...]
}
