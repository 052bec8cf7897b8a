import Absurd

/// Reads a JSON document as strictly as the database does, and says in plain words what is wrong with it.
///
/// Foundation's parser takes a comma behind the last element, and knows nothing of what `jsonb` cannot hold.
struct JSONSyntax {
    enum Problem: Error {
        /// It is not JSON.
        case malformed(String)
        /// It is JSON that cannot be stored or that no handler could read.
        case unusable(String)
    }

    private let bytes: [UInt8]
    private var position = 0
    /// What ends each array and object that is open, from the outermost on.
    private var closers: [UInt8] = []

    /// - Throws: ``Problem``.
    static func check(_ text: String) throws(Problem) {
        var syntax = JSONSyntax(bytes: Array(text.utf8))
        try syntax.document()
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = next, " \t\n\r".utf8.contains(byte) { position += 1 }
    }

    /// The place for a message: characters are counted from 1.
    private func place(_ offset: Int) -> String {
        "at character \(String(decoding: bytes[..<offset], as: UTF8.self).count + 1)"
    }

    private func malformed(_ what: String, at offset: Int? = nil) -> Problem {
        .malformed("\(what) \(place(offset ?? position))")
    }

    private var endsTooEarly: Problem { .malformed("it ends too early") }

    private static func character(_ byte: UInt8) -> String { "'\(Character(Unicode.Scalar(byte)))'" }
}

/// Arrays and objects.
extension JSONSyntax {
    private mutating func document() throws(Problem) {
        repeat {
            try value()
        } while try wantsAnotherValue()
    }

    /// Reads one value, or the beginning of an array or object up to its first value.
    private mutating func value() throws(Problem) {
        while true {
            skipSpace()
            switch next {
            case nil: throw endsTooEarly
            case UInt8(ascii: "["):
                try open(UInt8(ascii: "]"))
                if takes("]") { return closers.removeLast(1) }
            case UInt8(ascii: "{"):
                try open(UInt8(ascii: "}"))
                if takes("}") { return closers.removeLast(1) }
                try memberName()
            case UInt8(ascii: "\""): return try string()
            case UInt8(ascii: "'"): throw malformed("text needs double quotes")
            default: return try numberOrWord()
            }
        }
    }

    private mutating func open(_ closer: UInt8) throws(Problem) {
        guard closers.count < JSONValue.maximumDepth else {
            throw .unusable("a JSON document must not be nested deeper than \(JSONValue.maximumDepth) levels")
        }
        position += 1
        closers.append(closer)
        skipSpace()
    }

    /// Reads what stands behind a value; false at the end of the document.
    private mutating func wantsAnotherValue() throws(Problem) -> Bool {
        while let closer = closers.last {
            skipSpace()
            let start = position
            guard let byte = next else { throw endsTooEarly }
            if byte == closer {
                position += 1
                closers.removeLast()
            } else if takes(",") {
                skipSpace()
                if next == closer { throw malformed("nothing follows the comma; leave it out", at: start) }
                if closer == UInt8(ascii: "}") { try memberName() }
                return true
            } else {
                throw malformed("',' or \(Self.character(closer)) is missing")
            }
        }
        skipSpace()
        guard next == nil else { throw malformed("something follows the document") }
        return false
    }

    private mutating func memberName() throws(Problem) {
        guard let byte = next else { throw endsTooEarly }
        guard byte == UInt8(ascii: "\"") else { throw malformed("the name of a member needs double quotes") }
        try string()
        skipSpace()
        guard takes(":") else { throw next == nil ? endsTooEarly : malformed("':' is missing") }
    }
}

/// Text, numbers and words.
extension JSONSyntax {
    private mutating func string() throws(Problem) {
        position += 1
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"): try escape()
            case 0: throw malformed("a NUL character cannot be stored,")
            case ..<0x20: throw malformed(#"a line break or tab inside text is written \n or \t,"#)
            default: position += 1
            }
        }
        throw endsTooEarly
    }

    private mutating func escape() throws(Problem) {
        let start = position
        position += 1
        guard let kind = next else { throw endsTooEarly }
        position += 1
        guard kind == UInt8(ascii: "u") else {
            guard #""\/bfnrt"#.utf8.contains(kind) else {
                throw malformed("JSON has no such escape; a backslash itself is written twice,", at: start)
            }
            return
        }
        let unit = try codeUnit(from: start)
        if unit == 0 {
            throw .unusable(
                #"the database cannot store the NUL character \u0000 \#(place(start)); leave it out"#)
        }
        guard (0xD800...0xDFFF).contains(unit) else { return }
        let isPair = unit < 0xDC00 && bytes[position...].starts(with: #"\u"#.utf8)
        position += isPair ? 2 : 0
        guard isPair, (0xDC00...0xDFFF).contains(try codeUnit(from: start)) else {
            throw malformed("half a character is escaped; the other half is missing", at: start)
        }
    }

    /// The four hexadecimal digits of an escape.
    private mutating func codeUnit(from start: Int) throws(Problem) -> UInt32 {
        let digits = bytes[position...].prefix(4)
        let isHexadecimal = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard digits.count == 4, isHexadecimal,
            let unit = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw malformed(#"\u is followed by four hexadecimal digits,"#, at: start) }
        position += 4
        return unit
    }

    private mutating func numberOrWord() throws(Problem) {
        let start = position
        while let byte = next, !" \t\n\r,:[]{}\"".utf8.contains(byte) { position += 1 }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        guard !["true", "false", "null"].contains(word) else { return }
        let shown = word.printable.shortened(to: 20)
        guard Self.isNumber(word) else {
            throw malformed(
                word.isEmpty
                    ? "a value is missing"
                    : "'\(shown)' is neither text in quotes, a number, true, false nor null,",
                at: start)
        }
        guard Double(word)?.isFinite == true else {
            throw .unusable(
                "the number \(shown) is too large; handlers read numbers in 64 bits, up to about 1.8e308")
        }
    }

    /// Whether the word is a number as JSON writes it.
    private static func isNumber(_ word: String) -> Bool {
        word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil
    }
}
