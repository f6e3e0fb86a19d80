internal import Inspect
internal import Testing

@Suite("inspect vt")
struct InspectTests {
    private func run(_ lines: String...) -> [String] {
        var input = lines.makeIterator()
        var output: [String] = []
        InspectVT.run(columns: 10, rows: 2, scrollback: 10, input: { input.next() }, output: { output.append($0) })
        return output
    }

    @Test("Feeds, resizes, resets and dumps")
    func dumps() {
        #expect(
            run(#"{"feed_b64":"aGkbWzZu"}"#, #"{"dump":true}"#) == [
                #"{"screen":["hi",""],"cursor":[0,2],"visible":true,"title":"","alt":false,"history":[],"replies_b64":"G1sxOzNS"}"#
            ])
        #expect(
            run(#"{"feed_b64":"aGk="}"#, #"{"reset":true}"#, #"{"resize":[4,1]}"#, #"{"dump":true}"#) == [
                #"{"screen":[""],"cursor":[0,0],"visible":true,"title":"","alt":false,"history":[],"replies_b64":""}"#
            ])
    }

    @Test("Cells are runs of text, width, colours, flags and link")
    func cells() {
        let output = run(#"{"feed":"a\u001b[1;4:3;31;48;2;1;2;3m漢\u001b[m\u001b]8;;http://x\u0007c"}"#, #"{"dump":"cells"}"#)
        #expect(
            output.first?.hasSuffix(
                ##""cells":[[["a",1,"default","default","",null],["漢",2,"1","#010203","bold,underline-curly",null],["c",1,"default","default","","http://x"]],[]]}"##) == true)
    }

    @Test("A keyframe brings the state back")
    func keyframes() throws {
        let keyframe = try #require(run(#"{"feed":"abc\u001b["}"#, #"{"snapshot":true}"#).first)
        let restore = keyframe.replacing("keyframe_b64", with: "restore_b64")
        let output = run(#"{"feed":"zzz"}"#, restore, #"{"feed":"1Dx"}"#, #"{"dump":true}"#)
        #expect(output.first?.hasPrefix(#"{"screen":["abx",""]"#) == true)
    }

    @Test(
        "A line that cannot be obeyed is answered and the next one obeyed",
        arguments: [
            "nonsense", "[1]", "{}", #"{"feed_b64":"%%%"}"#, #"{"feed_b64":7}"#, #"{"resize":[0,5]}"#, #"{"resize":"big"}"#, #"{"restore_b64":"AAAA"}"#, #"{"what":true}"#,
            #"{"dump":true"#, #"{"feed":"\ud800\u0041"}"#,
        ])
    func badLines(line: String) {
        let output = run(line, "", #"{"feed":"ok"}"#, #"{"dump":true}"#)
        #expect(output.count == 2)
        #expect(output.first?.hasPrefix(#"{"error":""#) == true)
        #expect(output.last?.hasPrefix(#"{"screen":["ok",""]"#) == true)
    }
}
