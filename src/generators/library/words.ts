/** Words of which sentences are made where what they say does not matter. */
export const words: readonly string[] = (
  'able about above account across action add after again age ago agree air all allow almost alone along already also ' +
  'always among amount and answer any appear area ask away back balance base be because become before begin behind ' +
  'believe below best better between big board body book both bring build business but buy by call can carry case ' +
  'cause change check choose city clear close come common company complete consider contain continue control cost ' +
  'could country course cover create cut data date day deal decide deep deliver describe develop different discuss ' +
  'do down draw drive during each early easy effect either end enough enter even event ever every example expect ' +
  'experience explain face fact family far fast feel few field figure fill final find first follow for force form ' +
  'found free friend from full further game general get give go good great group grow half hand happen hard have ' +
  'head hear help high hold home hope hour house how idea if important in include increase indeed inside into issue ' +
  'item job join just keep kind know large last late later lead learn least leave less let level light like limit ' +
  'line list little local long look lose lot low main make many mark market matter may mean meet member might mind ' +
  'minute model money month more morning most move much must name near need never new next night note nothing now ' +
  'number of offer office often on once one only open or order other our out over own page part past pay people ' +
  'perhaps person place plan play point possible power present price problem process product program provide public ' +
  'put question quick quite raise range rate reach read ready real reason receive record remain remember report rest ' +
  'result return right room run same say search second see seem send sense serve service set several share short ' +
  'should show side simple since single size small so some soon sort source space speak stand start state stay step ' +
  'still stop story study such support sure system table take talk team tell term test than that the their then there ' +
  'these thing think this those though through time to today together too toward try turn two type under until up use ' +
  'usual value very view visit wait walk want watch way week well what when where which while white who whole why ' +
  'will with within without word work world would write year yes yet you young'
).split(' ')
