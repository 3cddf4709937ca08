-- SPDX-License-Identifier: BSD-3-Clause
--
-- Wireshark dissector for the AN link of cpau (docs/protocol.md).
--
--   tshark -X lua_script:scripts/wireshark/cpau.lua -r capture.pcap -V
--
-- or copy this file and cpau_tables.lua into Wireshark's plugin folder. Names, tags and sizes come
-- from cpau_tables.lua, which is made from the table that the encoder and decoder work from.
-- Messages of TS 24.501 go to Wireshark's own nas-5gs dissector, certificates to its X.509 one.

local here = debug.getinfo(1, "S").source:match("^@?(.*[/\\])") or ""
local tables = dofile(here .. "cpau_tables.lua")

local proto = Proto("cpau", "CP-AU access link")

---------------------------------------------------------------- fields

local header_types = {
	[0] = "Plain 5GS NAS message, not security protected",
	[1] = "Integrity protected",
	[2] = "Integrity protected and ciphered",
	[3] = "Integrity protected with new 5G NAS security context",
	[4] = "Integrity protected and ciphered with new 5G NAS security context",
}
local attach_types = { [1] = "credential provisioning without a subscription" }

local function names_of(messages)
	local names = {}
	for type, definition in pairs(messages) do
		names[type] = definition.name
	end
	return names
end

local f = {
	version = ProtoField.uint8("cpau.version", "Link version"),
	records = ProtoField.uint16("cpau.records", "Number of records"),
	reserved = ProtoField.uint8("cpau.reserved", "Reserved", base.HEX),
	record_type = ProtoField.uint8("cpau.record.type", "Record type", base.HEX,
		names_of(tables.records)),
	record_length = ProtoField.uint16("cpau.record.length", "Payload length"),
	an_ue_id = ProtoField.uint32("cpau.an_ue_id", "AN UE id"),
	au_ue_id = ProtoField.uint64("cpau.au_ue_id", "AU UE id", base.HEX),
	epd = ProtoField.uint8("cpau.nas.epd", "Extended protocol discriminator", base.HEX,
		{ [0x7e] = "5GS mobility management", [0x2e] = "5GS session management" }),
	header_type = ProtoField.uint8("cpau.nas.security_header_type", "Security header type",
		base.DEC, header_types),
	nas_type = ProtoField.uint8("cpau.nas.type", "Message type", base.HEX,
		names_of(tables.gmm)),
	mac = ProtoField.bytes("cpau.nas.mac", "Message authentication code"),
	sequence = ProtoField.uint8("cpau.nas.sequence_number", "Sequence number"),
	ciphered = ProtoField.bytes("cpau.nas.ciphered", "Ciphered message"),
	tag = ProtoField.uint8("cpau.ie.tag", "IE tag", base.HEX),
	length = ProtoField.uint16("cpau.ie.length", "IE length"),
	pkid = ProtoField.bytes("cpau.ci_pkid", "CI PKID"),
	seal_nonce = ProtoField.bytes("cpau.sealed_k_gnb.nonce", "Nonce"),
	seal_ciphertext = ProtoField.bytes("cpau.sealed_k_gnb.ciphertext", "Ciphertext"),
	seal_tag = ProtoField.bytes("cpau.sealed_k_gnb.tag", "Authentication tag"),
	signature_r = ProtoField.bytes("cpau.signature.r", "r"),
	signature_s = ProtoField.bytes("cpau.signature.s", "s"),
	point_x = ProtoField.bytes("cpau.point.x", "X"),
	point_y = ProtoField.bytes("cpau.point.y", "Y"),
	mcc = ProtoField.string("cpau.guti.mcc", "MCC"),
	mnc = ProtoField.string("cpau.guti.mnc", "MNC"),
	amf_region = ProtoField.uint8("cpau.guti.amf_region", "AMF region"),
	amf_set = ProtoField.uint16("cpau.guti.amf_set", "AMF set"),
	amf_pointer = ProtoField.uint8("cpau.guti.amf_pointer", "AMF pointer"),
	tmsi = ProtoField.uint32("cpau.guti.tmsi", "5G-TMSI", base.HEX),
	teid = ProtoField.uint32("cpau.tunnel.teid", "TEID", base.HEX),
	tunnel_ipv4 = ProtoField.ipv4("cpau.tunnel.ipv4", "Tunnel address"),
	tunnel_ipv6 = ProtoField.ipv6("cpau.tunnel.ipv6", "Tunnel address"),
}

-- Fields of IEs are cpau.KEY; octets unless their value is something better.
local ie_fields = {
	attach_type = ProtoField.uint8("cpau.attach_type", "Attach type", base.DEC, attach_types),
	cause = ProtoField.uint8("cpau.cause", "Cause", base.HEX, tables.causes),
	ngksi = ProtoField.uint8("cpau.ngksi", "ngKSI"),
	abba = ProtoField.uint16("cpau.abba", "ABBA", base.HEX),
	pdu_session_id = ProtoField.uint8("cpau.pdu_session_id", "PDU session ID"),
	qfi = ProtoField.uint8("cpau.qfi", "QFI"),
	traffic_reduction = ProtoField.uint8("cpau.traffic_reduction", "Traffic reduction (%)"),
	ue_ipv4_address = ProtoField.ipv4("cpau.ue_ipv4_address", "UE IPv4 address"),
	ue_ipv6_prefix = ProtoField.ipv6("cpau.ue_ipv6_prefix", "UE IPv6 prefix"),
	an_name = ProtoField.string("cpau.an_name", "AN name"),
	au_name = ProtoField.string("cpau.au_name", "AU name"),
	serving_network_name = ProtoField.string("cpau.serving_network_name",
		"Serving network name"),
	dnn = ProtoField.string("cpau.dnn", "DNN"),
	back_off_timer = ProtoField.string("cpau.back_off_timer", "Back-off timer"),
	t3512_value = ProtoField.string("cpau.t3512_value", "T3512 value"),
}
local ie_names = {}
for _, ie in ipairs(tables.ies) do
	ie_names[ie.key] = ie.name
	ie_fields[ie.key] = ie_fields[ie.key] or ProtoField.bytes("cpau." .. ie.key, ie.name)
end

local fields = {}
for _, field in pairs(f) do
	fields[#fields + 1] = field
end
for _, field in pairs(ie_fields) do
	fields[#fields + 1] = field
end
proto.fields = fields

local malformed = ProtoExpert.new("cpau.malformed", "Malformed", expert.group.MALFORMED,
	expert.severity.ERROR)
proto.experts = { malformed }

---------------------------------------------------------------- values

local nas_5gs = Dissector.get("nas-5gs")
local certificate = DissectorTable.get("media_type"):get_dissector("application/pkix-cert")

local timer2_units = { [0] = 2, [1] = 60, [2] = 360 }
local timer3_units = { [0] = 600, [1] = 3600, [2] = 36000, [3] = 2, [4] = 30, [5] = 60,
	[6] = 1152000 }

local function timer_text(units, range)
	local unit = range:bitfield(0, 3)
	if unit == 7 then
		return "deactivated"
	end
	return string.format("%d s", range:bitfield(3, 5) * (units[unit] or 60))
end

local function dnn_text(range)
	local labels, at = {}, 0
	while at < range:len() do
		local n = range(at, 1):uint()
		if n == 0 or at + 1 + n > range:len() then
			return "malformed"
		end
		labels[#labels + 1] = range(at + 1, n):string()
		at = at + 1 + n
	end
	return table.concat(labels, ".")
end

-- "5G-EA0 5G-EA1 5G-IA2": one octet for each kind, most significant bit first.
local function capability_text(range)
	local kinds, names = { "5G-EA", "5G-IA", "EEA", "EIA" }, {}
	for i, kind in ipairs(kinds) do
		for bit = 0, 7 do
			if i <= range:len() and range(i - 1, 1):bitfield(bit, 1) == 1 then
				names[#names + 1] = kind .. bit
			end
		end
	end
	return table.concat(names, " ")
end

local function add_signature(range, tree)
	tree:add(f.signature_r, range(0, 32))
	tree:add(f.signature_s, range(32, 32))
end

local function add_point(range, tree)
	tree:add(f.point_x, range(1, 32))
	tree:add(f.point_y, range(33, 32))
end

local function add_certificate(range, tree, pinfo)
	if certificate then
		certificate:call(range:tvb(), pinfo, tree)
	end
end

local function add_tunnel(range, tree)
	if range:len() ~= 8 and range:len() ~= 20 then
		tree:add_proto_expert_info(malformed, "Tunnel of " .. range:len() .. " octets")
		return
	end
	tree:add(f.teid, range(0, 4))
	tree:add(range:len() == 8 and f.tunnel_ipv4 or f.tunnel_ipv6, range(4))
end

-- What is shown below the value of an IE.
local details = {
	ue_signature1 = add_signature,
	ue_signature2 = add_signature,
	au_signature = add_signature,
	pk_au = add_point,
	pk_ue = add_point,
	cert_euicc = add_certificate,
	cert_eum = add_certificate,
	cert_eum_subca = add_certificate,
	cert_au = add_certificate,
	cert_cross = add_certificate,
	uplink_tunnel = add_tunnel,
	downlink_tunnel = add_tunnel,
	ue_ipv6_prefix = function(_, tree)
		tree:append_text("/64")
	end,
	ci_pkid_list = function(range, tree)
		for at = 0, range:len() - 20, 20 do
			tree:add(f.pkid, range(at, 20))
		end
	end,
	sealed_k_gnb = function(range, tree)
		tree:add(f.seal_nonce, range(0, 12))
		tree:add(f.seal_ciphertext, range(12, 32))
		tree:add(f.seal_tag, range(44, 16))
	end,
	ue_security_capability = function(range, tree)
		tree:append_text(" (" .. capability_text(range) .. ")")
	end,
	["5g_guti"] = function(range, tree)
		local function digit(octet, shift)
			local d = range(octet, 1):bitfield(shift, 4)
			return d < 10 and tostring(d) or ""
		end
		tree:add(f.mcc, range(1, 2), digit(1, 4) .. digit(1, 0) .. digit(2, 4))
		tree:add(f.mnc, range(2, 2), digit(3, 4) .. digit(3, 0) .. digit(2, 0))
		tree:add(f.amf_region, range(4, 1))
		tree:add(f.amf_set, range(5, 2), range(5, 2):bitfield(0, 10))
		tree:add(f.amf_pointer, range(6, 1), range(6, 1):bitfield(2, 6))
		tree:add(f.tmsi, range(7, 4))
	end,
}

-- How the value of an IE is read where its octets are not the value itself.
local readings = {
	dnn = dnn_text,
	back_off_timer = function(range)
		return timer_text(timer2_units, range)
	end,
	t3512_value = function(range)
		return timer_text(timer3_units, range)
	end,
	ue_ipv6_prefix = function(range)
		return Address.ipv6(string.format("%x:%x:%x:%x::", range(0, 2):uint(),
			range(2, 2):uint(), range(4, 2):uint(), range(6, 2):uint()))
	end,
}

local function add_value(ie, range, tree, pinfo)
	local field, item = ie_fields[ie.key], nil
	if ie.format == "tv1" then
		item = tree:add(field, range, range:bitfield(4, 4))
	elseif readings[ie.key] then
		item = tree:add(field, range, readings[ie.key](range))
	else
		item = tree:add(field, range)
	end
	if details[ie.key] then
		details[ie.key](range, item, pinfo)
	end
end

---------------------------------------------------------------- IEs

local function find_ie(definition, octet)
	for _, ie in ipairs(definition.ies) do
		local tag = ie.format == "tv1" and octet - octet % 16 or octet
		if ie.tag == tag then
			return ie
		end
	end
end

-- Our own messages and records have tagged IEs only. Returns the cause as text, if there is one.
local function dissect_ies(buffer, pinfo, tree, definition)
	local length_size = { tlv = 1, tlv_e = 2 }
	local at, seen, cause = 0, {}, nil

	while at < buffer:len() do
		local octet = buffer(at, 1):uint()
		local ie = find_ie(definition, octet)
		if not ie then
			tree:add_proto_expert_info(malformed,
				string.format("Unknown IE 0x%02x", octet))
			return cause
		end
		local name = ie_names[ie.key]
		local header, n = 1, 0
		if length_size[ie.format] then
			header = 1 + length_size[ie.format]
			if at + header <= buffer:len() then
				n = buffer(at + 1, header - 1):uint()
			end
		end
		if at + header + n > buffer:len() then
			tree:add_proto_expert_info(malformed, name .. " reaches past the end")
			return cause
		end
		local ie_tree = tree:add(proto, buffer(at, header + n), name)
		ie_tree:add(f.tag, buffer(at, 1))
		if header > 1 then
			ie_tree:add(f.length, buffer(at + 1, header - 1))
		end
		if seen[ie.key] then
			ie_tree:add_proto_expert_info(malformed, name .. " occurs twice")
		end
		seen[ie.key] = true
		if ie.format == "tv1" then
			add_value(ie, buffer(at, 1), ie_tree, pinfo)
		elseif n < ie.min or n > ie.max then
			ie_tree:add_proto_expert_info(malformed, string.format(
				"%s of %d octets, not %d to %d", name, n, ie.min, ie.max))
		else
			add_value(ie, buffer(at + header, n), ie_tree, pinfo)
		end
		if ie.key == "cause" and n == 1 then
			local text = tables.causes[buffer(at + header, 1):uint()] or "unassigned"
			cause = text:match("^[^:]*")
		end
		at = at + header + n
	end
	for _, ie in ipairs(definition.ies) do
		if ie.mandatory and not seen[ie.key] then
			tree:add_proto_expert_info(malformed, ie_names[ie.key] .. " is missing")
		end
	end
	return cause
end

---------------------------------------------------------------- NAS

local function with_cause(name, cause)
	return cause and string.format("%s (%s)", name, cause) or name
end

-- A plain 5GMM message. Returns its name.
local function dissect_plain(buffer, pinfo, tree)
	local definition = tables.gmm[buffer(2, 1):uint()]
	if not definition or not definition.strict then
		nas_5gs:call(buffer:tvb(), pinfo, tree)
		return definition and definition.name or "NAS"
	end
	local nas = tree:add(proto, buffer(), "NAS " .. definition.name)
	nas:add(f.epd, buffer(0, 1))
	nas:add(f.header_type, buffer(1, 1), buffer(1, 1):bitfield(4, 4))
	nas:add(f.nas_type, buffer(2, 1))
	local cause = nil
	if buffer:len() > 3 then
		cause = dissect_ies(buffer(3), pinfo, nas, definition)
	elseif #definition.ies > 0 then
		cause = dissect_ies(buffer(0, 0), pinfo, nas, definition)
	end
	return with_cause(definition.name, cause)
end

-- With 5G-EA0 what is called ciphered is readable; then three octets tell, and chance seldom does.
local function is_readable(buffer)
	return buffer:len() >= 10 and buffer(7, 1):uint() == 0x7e and buffer(8, 1):uint() == 0 and
		tables.gmm[buffer(9, 1):uint()] ~= nil
end

local function dissect_nas(buffer, pinfo, tree)
	if buffer:len() < 3 then
		tree:add_proto_expert_info(malformed, "NAS message of " .. buffer:len() .. " octets")
		return "NAS"
	end
	local header_type = buffer(1, 1):bitfield(4, 4)
	if buffer(0, 1):uint() ~= 0x7e then
		nas_5gs:call(buffer:tvb(), pinfo, tree)
		return "NAS"
	elseif header_type == 0 then
		return dissect_plain(buffer, pinfo, tree)
	elseif header_type > 4 or buffer:len() < 8 then
		tree:add_proto_expert_info(malformed, "Bad security header")
		return "NAS"
	end

	local nas = tree:add(proto, buffer(), "Security-protected NAS message")
	nas:add(f.epd, buffer(0, 1))
	nas:add(f.header_type, buffer(1, 1), header_type)
	nas:add(f.mac, buffer(2, 4))
	nas:add(f.sequence, buffer(6, 1))
	if is_readable(buffer) then
		return dissect_plain(buffer(7), pinfo, nas) .. " (protected)"
	end
	nas:add(f.ciphered, buffer(7))
	return "ciphered NAS"
end

---------------------------------------------------------------- records

local UPLINK_NAS, DOWNLINK_NAS = 0x10, 0x11

local function dissect_record(buffer, pinfo, tree)
	local type = buffer(0, 1):uint()
	local definition = tables.records[type]
	local name = definition and definition.name or string.format("Unknown record 0x%02x", type)
	local record = tree:add(proto, buffer(), name)
	record:add(f.record_type, buffer(0, 1))
	record:add(f.reserved, buffer(1, 1))
	record:add(f.record_length, buffer(2, 2))
	record:add(f.an_ue_id, buffer(4, 4))
	record:add(f.au_ue_id, buffer(8, 8))
	if not definition then
		record:add_proto_expert_info(malformed, name)
		return name
	end
	local payload = buffer:len() > 16 and buffer(16) or buffer(0, 0)
	if type == UPLINK_NAS or type == DOWNLINK_NAS then
		name = dissect_nas(payload, pinfo, record)
		record:append_text(": " .. name)
		return name
	end
	return with_cause(name, dissect_ies(payload, pinfo, record, definition))
end

function proto.dissector(buffer, pinfo, root)
	local tree = root:add(proto, buffer())
	local names = {}

	if buffer:len() < 4 then
		tree:add_proto_expert_info(malformed, "Datagram without a header")
		return
	end
	tree:add(f.version, buffer(0, 1))
	tree:add(f.reserved, buffer(1, 1))
	tree:add(f.records, buffer(2, 2))
	if buffer(0, 1):uint() ~= tables.version then
		tree:add_proto_expert_info(malformed, "Unknown link version")
		return
	end
	local at, left = 4, buffer(2, 2):uint()
	while left > 0 do
		local n = at + 16 <= buffer:len() and 16 + buffer(at + 2, 2):uint() or math.huge
		if at + n > buffer:len() then
			tree:add_proto_expert_info(malformed, "A record reaches past the end")
			break
		end
		names[#names + 1] = dissect_record(buffer(at, n), pinfo, tree)
		at, left = at + n, left - 1
	end
	if left == 0 and (at ~= buffer:len() or #names == 0) then
		tree:add_proto_expert_info(malformed, "Octets after the last record, or no record")
	end
	pinfo.cols.protocol = "CP-AU"
	pinfo.cols.info = table.concat(names, ", ")
end

DissectorTable.get("udp.port"):add(tables.port, proto)
